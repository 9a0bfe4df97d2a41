"""Images of 16 bits a channel: which bits their values use, and the same images with 8 bits.

A camera of 12 bits stores 0..4095 in 16: scaled by the full range such images would be nearly black. The range is
that of all images together, so that a dark image stays darker than a bright one.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Values = npt.NDArray[np.uint16]
Bits = Callable[[int], int]  # from the highest value of an image to the bits by which it is scaled
DEPTHS = (8, 10, 12, 14, 16)
FULL = 65_535
DARKER = 4  # bits that a far darker image lacks
SHOWN = 3


def bits_of(highest: int) -> int:
    """Return the fewest of 8, 10, 12, 14 and 16 bits that hold a value of 16 bits."""
    return next(bits for bits in DEPTHS if highest < 2**bits)


def deep_values(image: Image.Image) -> Values | None:
    """Return the values (height, width[, channels]) of an image of 16 bits a channel; None for another.

    Pillow drops the lower bits of 16-bit colour, so that OpenCV reads it.
    """
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    if image.mode == "I":
        values = np.asarray(image)
        return values.clip(0).astype(np.uint16) if values.max(initial=0) <= FULL else None
    return _deep_colour(image) if _is_deep_colour(image) else None


def narrowed(values: Values, bits: int) -> Image.Image:
    """Values of 16 bits as an image of 8, the highest of `bits` being white; a fourth channel is transparency."""
    scaled = np.rint(values[..., :3] * (255 / (2**bits - 1)) if values.ndim == 3 else values * (255 / (2**bits - 1)))
    bytes_ = scaled.clip(0, 255).astype(np.uint8)
    if values.ndim == 3 and values.shape[2] == 4:
        bytes_ = np.dstack([bytes_, (values[..., 3] >> 8).astype(np.uint8)])
    return Image.fromarray(bytes_)


def highest_of(values: Values) -> int:
    """Return the highest value, transparency left out."""
    return int((values[..., :3] if values.ndim == 3 else values).max(initial=0))


class SharedDepth:
    """The bits that the 16-bit images among some files use together; all are examined once the first was read.

    `highest` reads the highest value of a file's 16-bit image; None for an image of 8 bits, or a file that is not one.
    """

    def __init__(self, paths: Sequence[Path], highest: Callable[[Path], int | None]) -> None:
        self.paths, self._highest, self._lock = paths, highest, Lock()
        self.used = False

    def __call__(self, highest: int) -> int:  # noqa: ARG002
        """Return the bits for any of the images."""
        with self._lock:
            self.used = True
            return self.bits

    @cached_property
    def bits(self) -> int:
        """The bits of the brightest image."""
        return bits_of(max(self._seen.values(), default=0))

    @cached_property
    def _seen(self) -> dict[Path, int]:
        every = {path: self._highest(path) for path in self.paths}
        return {path: value for path, value in every.items() if value is not None}

    def findings(self) -> list[str]:
        """Return what a user should know, once a 16-bit image was read."""
        if not self.used:
            return []
        dark = [path.name for path, highest in self._seen.items() if highest < 2 ** (self.bits - DARKER)]
        finding = f"16-bit images use {self.bits} bits"
        if self.bits < DEPTHS[-1]:
            finding += f": white is {2**self.bits - 1:,}"
        if dark:
            more = f" and {len(dark) - SHOWN:,} more" if len(dark) > SHOWN else ""
            finding += f"; {len(dark):,} of {len(self._seen):,} are far darker than the rest: "
            finding += ", ".join(dark[:SHOWN]) + more
        return [finding]


class OwnDepth:
    """The bits of single images: those of the `trained` images, more where an image needs them.

    Without `trained`, each image's own bits. `others` are the bits of images that were not scaled like the training
    images, or not by all 16 where the bits of the training images are not known.
    """

    def __init__(self, trained: int | None = None) -> None:
        self.trained = trained
        self.others: list[int] = []

    def __call__(self, highest: int) -> int:
        """Return the bits for an image with this highest value."""
        bits = max(bits_of(highest), self.trained or 0)
        if bits != (self.trained or DEPTHS[-1]):
            self.others.append(bits)
        return bits


def _is_deep_colour(image: Image.Image) -> bool:
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    arguments: Any = next((tile[3] for tile in getattr(image, "tile", ())), ())
    parts = arguments if isinstance(arguments, tuple) else (arguments,)
    return any((isinstance(part, str) and ";16" in part) or part == FULL for part in parts)


def _deep_colour(image: Image.Image) -> Values | None:
    import cv2

    file: Any = getattr(image, "fp", None)
    if file is None:
        return None
    file.seek(0)
    data = file.read()
    image.load()  # finds what is broken, where OpenCV would go on
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:  # what it will not read Pillow read
        return None
    if values is None or values.dtype != np.uint16:
        return None
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(values.shape[2] if values.ndim == 3 else 1)
    return np.ascontiguousarray(values[..., order]) if order else values.astype(np.uint16)
