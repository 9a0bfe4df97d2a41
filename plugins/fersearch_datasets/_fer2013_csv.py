"""fer2013.csv and similar files: one face a row, 48x48 grey values as text, `Usage` for the split."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fersearch.data.csvfile import MISSING, Row, rows
from fersearch.data.images import Pixels, drawn
from fersearch.data.parts import part_of
from fersearch.data.pictures import Pictures
from fersearch.errors import DataError, suggestion

NAMES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
SIDE = 48
GREY_LEVELS = {str(level): level for level in range(256)}
SPLIT = "usage"


def find(root: Path, names: Sequence[str] = NAMES) -> Path | None:
    """Return the first of the known files that a folder holds; the path itself if it is such a file."""
    if root.is_file():
        return root if root.suffix.lower() == ".csv" else None
    return next((root / name for name in names if (root / name).is_file()), None)


def part(row: Row) -> int:
    """Return 0, 1 or 2 for the row's Usage, -2 where the file has none.

    Raises:
        DataError: the Usage is none of the three, nor another name for train, valid or test.
    """
    usage = row.get(SPLIT)
    if usage in MISSING:
        return -2
    number = part_of(usage)
    if number is None:
        raise DataError(
            f"{row.where}: unknown Usage '{usage}'", suggestion(usage, ("Training", "PublicTest", "PrivateTest"))
        )
    return number


def pixels(row: Row) -> Pixels:
    """Return the row's face, uint8 (48, 48).

    Raises:
        DataError: there are not 2,304 values, or one is not a whole number from 0 to 255.
    """
    texts = row["pixels"].split()
    if len(texts) != SIDE * SIDE:
        raise DataError(f"{row.where}: {len(texts):,} pixels, expected {SIDE * SIDE:,} (48x48)", "restore the row")
    try:
        values = bytes(map(GREY_LEVELS.__getitem__, texts))
    except KeyError as error:
        raise DataError(f"{row.where}: pixel {error} is not a whole number from 0 to 255", "restore the row") from None
    return np.frombuffer(values, np.uint8).reshape(SIDE, SIDE)


def faces(path: Path, keep: Sequence[bool], image_size: int, channels: int) -> Pictures:
    """Return the faces of the rows to keep, uint8 (channels, image_size, image_size)."""

    def chosen() -> Iterator[Pixels]:
        listed = rows(path, ["pixels"], split=SPLIT)
        yield from (pixels(row) for row, wanted in zip(listed, keep, strict=True) if wanted)

    return drawn(chosen, image_size, channels)
