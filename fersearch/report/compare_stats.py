"""Paired tests of two models over the same rounds, and Holm's correction for many of them."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.05
FEWEST = 3


@dataclass(frozen=True)
class Paired:
    """What several paired values say of a difference a - b.

    `low` and `high` bound the mean difference with 95 % confidence, by the corrected variance where there is one.
    `wilcoxon`, `t` and `corrected` are two-sided p-values, NaN where the test does not apply; `notes` say why.
    """

    n: int
    difference: float
    low: float
    high: float
    wilcoxon: float
    t: float
    corrected: float
    notes: tuple[str, ...] = ()

    @property
    def p(self) -> float:
        """The p-value that counts: the corrected one under folds, the paired t-test's elsewhere."""
        return self.t if math.isnan(self.corrected) else self.corrected


def paired(a: Sequence[float], b: Sequence[float], ratio: float | None = None) -> Paired:
    """Test whether paired values differ in the mean.

    Wilcoxon's signed-rank test (zero differences left out), Student's paired t-test, and, where training sets
    overlap, the corrected resampled t-test of Nadeau & Bengio (2003, doi:10.1023/A:1024068626366), whose variance
    of the mean is (1/n + ratio) s².

    Args:
        a: at least two values, one a round.
        b: as many values of the same rounds.
        ratio: images that validate by images that train, in each round; None where training sets do not overlap
            in the way the correction supposes.
    """
    differences = [x - y for x, y in zip(a, b, strict=True)]
    n, mean, std = len(differences), statistics.fmean(differences), statistics.stdev(differences)
    if std <= 1e-12 * max(map(abs, (*a, *b)), default=1.0):
        return _constant(n, mean, ratio)
    plain = std / math.sqrt(n)
    wide = plain if ratio is None else std * math.sqrt(1 / n + ratio)
    low, high = _interval(mean, wide, n)
    corrected = math.nan if ratio is None else _p(mean, wide, n)
    test, notes = _wilcoxon(differences)
    return Paired(n, mean, low, high, test, _p(mean, plain, n), corrected, notes)


def holm(values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's step-down method (1979); NaN stays and does not count."""
    order = sorted((i for i, value in enumerate(values) if not math.isnan(value)), key=lambda i: values[i])
    found, highest = list(values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * values[i]))
        found[i] = highest
    return found


def least_wilcoxon(n: int) -> float:
    """The smallest two-sided p-value that Wilcoxon's signed-rank test can give for `n` differences that are not 0."""
    return float(min(1.0, 2.0 ** (1 - n)))


def _constant(n: int, mean: float, ratio: float | None) -> Paired:
    if abs(mean) < 1e-12:
        same = 1.0
        corrected = math.nan if ratio is None else same
        return Paired(n, 0.0, 0.0, 0.0, same, same, corrected, ("the values are equal in every round",))
    test, notes = _wilcoxon([mean] * n)
    why = "the difference is the same in every round, which leaves a t-test nothing to go by"
    return Paired(n, mean, mean, mean, test, math.nan, math.nan, (why, *notes))


def _wilcoxon(differences: Sequence[float]) -> tuple[float, tuple[str, ...]]:
    from scipy.stats import wilcoxon

    apart = [float(f"{value:.10g}") for value in differences if abs(value) > 1e-12]  # ties are ties again
    least = least_wilcoxon(len(apart))
    notes = (f"Wilcoxon's p is {least:.3g} at least",) if least > LEVEL else ()
    return float(wilcoxon(apart).pvalue), notes


def _p(mean: float, error: float, n: int) -> float:
    from scipy.stats import t

    return float(2 * t.sf(abs(mean) / error, n - 1))


def _interval(mean: float, error: float, n: int) -> tuple[float, float]:
    from scipy.stats import t

    half = float(t.ppf(1 - LEVEL / 2, n - 1)) * error
    return mean - half, mean + half
