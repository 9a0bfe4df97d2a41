"""A few configurations in which every two values meet, where that is possible."""

import itertools
import random
from collections.abc import Mapping

from fersearch.space import Choice, Dimension, Float, Int, Space, Value

CANDIDATES = 400
Pair = tuple[tuple[str, Value], tuple[str, Value]]


def pairwise(space: Mapping[str, Dimension], limit: int = 8) -> list[dict[str, Value]]:
    """At most `limit` configurations that cover the pairs of values greedily; a range counts by its two ends.

    The first is made of each dimension's first value. The same space gives the same list.
    """
    ends = Space({name: _ends(dimension) for name, dimension in space.items()})
    chance = random.Random(0)
    candidates = [next(ends.configurations()), *(_draw(ends, chance) for _ in range(CANDIDATES))]
    covered = set(_pairs(candidates[0]))
    chosen = candidates[:1]
    while len(chosen) < limit:
        best = max(candidates, key=lambda candidate: len(_pairs(candidate) - covered))
        if not _pairs(best) - covered:
            break
        chosen.append(best)
        covered |= _pairs(best)
    return chosen


def _ends(dimension: Dimension) -> Choice:
    if isinstance(dimension, Float | Int):
        ends = dict.fromkeys((dimension.low, dimension.high))
        return Choice(*ends, when=dimension.when)
    return Choice(*dimension.options, when=dimension.when)


def _draw(space: Space, chance: random.Random) -> dict[str, Value]:
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        params[name] = chance.choice(dimension.options) if isinstance(dimension, Choice) else dimension.low
    return params


def _pairs(params: Mapping[str, Value]) -> set[Pair]:
    alone = {(item, item) for item in params.items()}
    return alone | set(itertools.combinations(params.items(), 2))
