"""Going on with a table on a machine of another speed: which configurations to train, and what their costs were worth.

CPU seconds differ twofold between hours of one machine, and those of small networks differ more than those of large
ones. So configurations that the table has are trained again between the new ones, and tell what a cost of now was then.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from tests.benchmarks.search.tables import COSTS, Matrix

EVERY = 4
FEW = 8
"""Of every so many runs one is a repeat; with fewer repeats than this, large and small costs differ by one factor."""


def plan(recorded: Sequence[int], missing: Sequence[int]) -> list[int]:
    """Return what to train, in order: the missing configurations, with recorded ones spread over them."""
    if not recorded:
        return list(missing)
    order: list[int] = []
    count = -(-len(missing) // (EVERY - 1))
    repeats = [recorded[int(place)] for place in np.linspace(0, len(recorded) - 1, count)]
    for start, repeat in enumerate(repeats):
        order += [repeat, *missing[start * (EVERY - 1) : (start + 1) * (EVERY - 1)]]
    return order


def at_recorded_speed(now: Mapping[int, Matrix], table: Mapping[int, Matrix]) -> tuple[dict[int, Matrix], list[float]]:
    """Return the new runs' curves (epochs x `COSTS`) with costs as the table's, and how far those of repeats are off.

    A cost of now is the cost of then by a straight line in logs through the repeats (Theil-Sen); all epochs of a run
    are changed by one factor. The second value has the median error of each cost over the repeats, as a share.
    """
    repeats = now.keys() & table.keys()
    new = {number: curve.copy() for number, curve in now.items() if number not in repeats}
    errors: list[float] = []
    for cost in range(1, len(COSTS)) if repeats else ():
        ends = np.array([[run[number][-1, cost] for number in repeats] for run in (now, table)])
        slope, level = _line(*np.log(ends))
        factors = {number: np.exp(level) * curve[-1, cost] ** (slope - 1) for number, curve in now.items()}
        off = [abs(now[number][-1, cost] * factors[number] / table[number][-1, cost] - 1) for number in repeats]
        errors.append(float(np.median(off)))
        for number, curve in new.items():
            curve[:, cost] *= factors[number]
    return new, errors


def _line(now: Matrix, then: Matrix) -> tuple[float, float]:
    """Return slope and level of the line from `now` to `then`; with few of them the slope is 1."""
    if len(now) < FEW:
        return 1.0, float(np.median(then - now))
    line = stats.theilslopes(then, now)
    return float(line.slope), float(line.intercept)
