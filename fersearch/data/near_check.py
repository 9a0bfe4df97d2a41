"""What near-duplicates of a dataset mean for its split: how many there are within parts and across them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

from fersearch.data.folders import PARTS
from fersearch.data.near import Array, Ints, Pairs

EXAMPLES = 3


@dataclass(frozen=True)
class NearDuplicates:
    """Pairs of images that are nearly equal, one in each of two parts, or both in one.

    `images` counts images of the second part that have a partner in the first; `examples` names pairs of images, in the
    order of the parts.
    """

    splits: tuple[str, str]
    pairs: int
    mirrored: int
    images: int
    examples: tuple[tuple[str, str], ...]

    @property
    def across(self) -> bool:
        """Whether the two parts differ."""
        return self.splits[0] != self.splits[1]

    def to_json(self) -> dict[str, Any]:
        """Return the counts and examples as plain data."""
        return {**asdict(self), "splits": list(self.splits), "examples": [list(pair) for pair in self.examples]}

    def __str__(self) -> str:
        first, second = self.splits
        names = f"{self.examples[0][0]} in {first} and {self.examples[0][1]} in {second}"
        mirrored = f", {self.mirrored:,} mirrored" if self.mirrored else ""
        images = f"{self.images:,} {second} images also occur, nearly equal, in {first}"
        return f"{images}: {self.pairs:,} pairs{mirrored}, as {names}"


def near_duplicates(pairs: Pairs, part: Ints, name_of: Callable[[int], str]) -> list[NearDuplicates]:
    """Return the near-duplicates of each two parts that have some.

        Args:
    pairs: the pairs of all images.
    part: the index in `PARTS` of each image, int (n); -1 where it is left out.
            name_of: the name of an image by its row.
    """
    counts = np.zeros((len(part), len(PARTS)), np.int64)
    np.add.at(counts, (pairs.picture[part >= 0], part[part >= 0]), 1)
    combinations = (
        _between(pairs, part, counts, a, b, name_of) for a, b in combinations_with_replacement(range(len(PARTS)), 2)
    )
    return [duplicates for duplicates in combinations if duplicates.pairs]


def _between(pairs: Pairs, part: Ints, counts: Array, a: int, b: int, name_of: Callable[[int], str]) -> NearDuplicates:
    one, other = counts[pairs.rows[:, 0]], counts[pairs.rows[:, 1]]
    many = one[:, a] * other[:, b] + (one[:, b] * other[:, a] if a != b else 0)
    near = pairs.touching(counts[:, a] > 0)
    examples = [_rows(pairs, part, counts, place, a, b) for place in np.flatnonzero(many)[:EXAMPLES]]
    return NearDuplicates(
        (PARTS[a], PARTS[b]),
        int(many.sum()),
        int(many[pairs.mirrored].sum()),
        int(counts[near, b].sum()),
        tuple((name_of(first), name_of(second)) for first, second in examples),
    )


def _rows(pairs: Pairs, part: Ints, counts: Array, place: int, a: int, b: int) -> tuple[int, int]:
    """Return an image of part `a` and one of part `b` that a pair represents."""
    first, second = pairs.rows[place]
    if not (counts[first, a] and counts[second, b]):
        first, second = second, first
    rows = [np.flatnonzero((pairs.picture == picture) & (part == k))[0] for picture, k in ((first, a), (second, b))]
    return int(rows[0]), int(rows[1])
