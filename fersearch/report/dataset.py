"""What a dataset's report is given, and which images stand for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fersearch.space import Value

if TYPE_CHECKING:
    import numpy as np

HISTOGRAM = 1000
"""So many images of a class at most are counted into its histogram."""


@dataclass(frozen=True)
class Portrait:
    """A dataset under one choice of options.

    `images` (uint8, n x channels x size x size) holds every prepared image, `hard` (int64, n) its class and `part`
    (int64, n) the place of its split among the `splits`, -1 where it is left out. `checks` are what verifying told,
    `findings` what deserves a look, `head` the first rows under `columns`. `augmented` maps augmentation presets to
    the images of `shown` under them. `names` (str, n) are those of the files, None where there are none.
    """

    name: str
    summary: str
    licence: str
    files: str
    options: Mapping[str, Value]
    target: str
    classes: tuple[str, ...]
    splits: Mapping[str, Mapping[str, Any]]
    checks: Sequence[tuple[str, str]]
    findings: Sequence[str]
    images: "np.ndarray[Any, Any]"
    hard: "np.ndarray[Any, Any]"
    part: "np.ndarray[Any, Any]"
    written: datetime
    version: str
    columns: Sequence[str] = ()
    head: Sequence[Sequence[str]] = ()
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shown: Sequence[int] = ()
    augmented: Mapping[str, "np.ndarray[Any, Any]"] = field(default_factory=dict)
    names: "np.ndarray[Any, Any] | None" = None

    @property
    def count(self) -> int:
        """The images that are not left out."""
        return int((self.part >= 0).sum())

    @property
    def channels(self) -> int:
        """1 grey, 3 colour."""
        return int(self.images.shape[1])

    def per_class(self) -> list[int]:
        """The images of each class in all splits."""
        return [sum(part["per_class"][name] for part in self.splits.values()) for name in self.classes]


def samples(
    hard: "np.ndarray[Any, Any]", part: "np.ndarray[Any, Any]", count: int, most: int, seed: int = 0
) -> list[list[int]]:
    """Rows of each of `count` classes drawn at random, `most` at most: of train, and of the other splits if need be."""
    import numpy as np

    random = np.random.default_rng(seed)
    found = []
    for label in range(count):
        train, others = (random.permutation(np.flatnonzero((hard == label) & mine)) for mine in (part == 0, part > 0))
        found.append([int(row) for row in [*train, *others][:most]])
    return found


def intensities(portrait: Portrait) -> "np.ndarray[Any, Any]":
    """How often each grey value 0..255 occurs in each class, as shares: (classes, 256); 0 in a class without images."""
    import numpy as np

    rows = samples(portrait.hard, portrait.part, len(portrait.classes), HISTOGRAM)
    shares = np.zeros((len(rows), 256))
    for label, own in enumerate(rows):
        for row in own:
            shares[label] += np.bincount(portrait.images[row].ravel(), minlength=256)
    totals = shares.sum(1, keepdims=True)
    found: np.ndarray[Any, Any] = shares / np.maximum(totals, 1)
    return found


def duplicates(portrait: Portrait) -> list[list[int]]:
    """Groups of rows whose images are equal in every pixel: those with conflicting labels, then those across splits."""
    import hashlib

    import numpy as np

    found: dict[bytes, list[int]] = {}
    for row in np.flatnonzero(portrait.part >= 0):
        found.setdefault(hashlib.blake2b(portrait.images[row].tobytes(), digest_size=16).digest(), []).append(int(row))
    groups = [rows for rows in found.values() if len(rows) > 1]
    return sorted(groups, key=lambda rows: (not conflicts(portrait, rows), not _across(portrait, rows), rows[0]))


def conflicts(portrait: Portrait, rows: Sequence[int]) -> bool:
    """Whether images do not all have one label."""
    return len({int(portrait.hard[row]) for row in rows}) > 1


def _across(portrait: Portrait, rows: Sequence[int]) -> bool:
    return len({int(portrait.part[row]) for row in rows}) > 1
