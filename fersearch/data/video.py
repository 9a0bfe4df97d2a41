"""Frames of a film or a camera, and films made of frames: OpenCV's part, and Pillow's for GIF."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from fersearch.errors import DataError, UsageError

RATE = 25.0  # frames per second of a source without a rate
FORMATS = (".mp4", ".gif")
LONGEST_GIF = 1_000  # frames that are held until a GIF is written


@dataclass(frozen=True)
class Frame:
    """A frame (RGB): its number in the source from 0, and when it is shown."""

    number: int
    seconds: float
    image: Image.Image


class Film(Protocol):
    """A film that is being written."""

    def add(self, image: Image.Image) -> None:
        """Add a frame; all have the size of the first."""


def frames(source: Path | int, every: int = 1, most: int | None = None) -> Iterator[Frame]:
    """Yield every `every`-th frame of a video file or of a numbered camera, at most `most`.

    Raises:
        UsageError: the camera or file does not exist, or a number is too small.
        DataError: the file is not a video, or has no frame.
    """
    for flag, value in (("--every", every), ("--frames", most)):
        if value is not None and value < 1:
            raise UsageError(f"{flag} {value} is too small", "give 1 or more")
    with _opened(source) as capture:
        number = yielded = 0
        rate = _rate(capture)
        while most is None or yielded < most:
            there, pixels = capture.read()
            if not there:
                break
            if number % every == 0:
                yielded += 1
                yield Frame(number, number / rate, Image.fromarray(np.ascontiguousarray(pixels[..., ::-1])))
            number += 1
        if not number:
            raise DataError(f"{_named(source)} yields no frame", "check it in a video player, or try another")


@contextmanager
def film(path: Path, rate: float = RATE) -> Iterator[Film]:
    """Yield a writer of frames whose file, MP4 or GIF, is complete when the block ends, with any number of frames.

    Raises:
        UsageError: the file's name ends in something else.
    """
    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"cannot write a film into {path}", "give a file that ends in .mp4 or .gif")
    handle, name = tempfile.mkstemp(suffix=path.suffix, prefix=".film-", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    writing = _Gif(temporary, rate) if path.suffix.lower() == ".gif" else _Mp4(temporary, rate)
    try:
        try:
            yield writing
        finally:
            written = writing.close()
            if written:
                temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


class _Mp4:
    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._writer: Any = None
        self._size = (0, 0)

    def add(self, image: Image.Image) -> None:
        import cv2

        if self._writer is None:
            self._size = image.size
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(str(self._path), code, self._rate, self._size)
            if not self._writer.isOpened():
                raise UsageError("OpenCV cannot write MP4 here", "write a .gif")
        shown = image if image.size == self._size else image.resize(self._size)
        self._writer.write(np.asarray(shown.convert("RGB"))[..., ::-1])

    def close(self) -> bool:
        if self._writer is None:
            return False
        self._writer.release()
        return True


class _Gif:
    def __init__(self, path: Path, rate: float) -> None:
        self._path, self._rate = path, rate
        self._images: list[Image.Image] = []

    def add(self, image: Image.Image) -> None:
        if len(self._images) == LONGEST_GIF:
            raise UsageError(f"a GIF of more than {LONGEST_GIF:,} frames is too large", "write an .mp4, or use --every")
        self._images.append(image.convert("RGB"))

    def close(self) -> bool:
        if not self._images:
            return False
        first, *rest = self._images
        first.save(self._path, save_all=True, append_images=rest, duration=max(20, round(1000 / self._rate)), loop=0)
        return True


@contextmanager
def _opened(source: Path | int) -> Iterator[Any]:
    import cv2

    if isinstance(source, Path) and not source.is_file():
        raise UsageError(f"video {source} does not exist", "give a video file")
    with _silence():
        capture = cv2.VideoCapture(source if isinstance(source, int) else str(source))
    try:
        if not capture.isOpened():
            if isinstance(source, int):
                raise UsageError(
                    f"camera {source} does not exist", "the first is 0; check that no other program uses it"
                )
            raise DataError(f"{source} is not a video that can be read", "give an MP4, AVI, MOV, MKV or WebM file")
        yield capture
    finally:
        capture.release()


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress what OpenCV's backends print about a source that cannot be opened."""
    import cv2

    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def _rate(capture: Any) -> float:
    import cv2

    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if 0 < rate < 1000 else RATE


def _named(source: Path | int) -> str:
    return f"camera {source}" if isinstance(source, int) else str(source)
