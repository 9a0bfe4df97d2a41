"""The text files of CK+: the emotion of a sequence, and the landmarks of a frame."""

from math import isfinite
from pathlib import Path

from fersearch.data.folders import unreadable
from fersearch.errors import DataError

CODES = ("neutral", "anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
LABELLED = 327
PER_CLASS = {
    "anger": 45,
    "contempt": 18,
    "disgust": 59,
    "fear": 25,
    "happiness": 69,
    "sadness": 28,
    "surprise": 83,
}


def emotion(path: Path) -> str:
    """Return the emotion in a label file, from its one number such as 3.0000000e+00.

    Raises:
        DataError: the file cannot be read, or holds no code from 0 to 7.
    """
    text = _text(path).strip()
    try:
        code = float(text)
    except ValueError:
        code = -1.0
    if code not in range(len(CODES)):
        known = ", ".join(f"{code} {name}" for code, name in enumerate(CODES))
        raise DataError(f"{path}: unknown emotion code '{text[:20]}'", f"known: {known}")
    return CODES[int(code)]


def points(path: Path) -> list[tuple[float, float]]:
    """Return the landmarks of one frame, (x, y) in pixels, one on each line.

    Raises:
        DataError: the file cannot be read, or a line is not two numbers.
    """
    try:
        lines = [tuple(map(float, line.split())) for line in _text(path).splitlines() if line.strip()]
        if len(lines) > 1 and all(len(line) == 2 and all(map(isfinite, line)) for line in lines):
            return [(x, y) for x, y in lines]
    except ValueError:
        pass
    raise DataError(f"{path} holds no landmarks", "expected 68 lines with x and y; restore it, or use crop=centre")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise unreadable(path, error) from None
