"""What may be done to every image once, when it is prepared: histogram equalisation and illumination correction.

`preprocess` is an option of decoding common to all datasets; its values are listed below.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fersearch.errors import lookup
from fersearch.space import Value

Pixels = npt.NDArray[np.uint8]
LEVELS = 36  # grey levels of one standard deviation in `illumination`: 3.5 of them reach black or white
LUMINANCE = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601


def applied(pixels: Pixels, options: Mapping[str, Value]) -> Pixels:
    """Return one image, uint8 (channels, height, width), as the `preprocess` of `options` makes it; the same by
    default.

    Raises:
        UnknownName: there is no such preprocessing.
    """
    change = lookup("preprocess", str(options.get("preprocess", "none")), STEPS)
    return pixels if change is None else change(pixels)


def applied_to_all(images: Iterable[Pixels], options: Mapping[str, Value]) -> Iterable[Pixels]:
    """Return every image as `applied` makes it, one by one; the same images where no option is set."""
    if options.get("preprocess", "none") == "none":
        return images
    return (applied(pixels, options) for pixels in images)


def equalized(pixels: Pixels) -> Pixels:
    """Spread the grey levels of an image evenly over 0..255, as OpenCV's `equalizeHist` does.

    Of an RGB image the luminance is equalised; the differences between its channels stay, but where they are
    cut off at 0 or 255.
    """
    grey = _luminance(pixels)
    counts = np.bincount(grey.ravel(), minlength=256)
    below = counts[grey.min()]
    if below == grey.size:
        return pixels
    levels = np.rint((counts.cumsum() - below) * (255 / (grey.size - below)))
    moved: Pixels = np.clip(pixels + (levels[grey] - grey), 0, 255).astype(np.uint8)
    return moved


def illumination_corrected(pixels: Pixels) -> Pixels:
    """Equalise an image, correct its illumination gradient and standardise it, as Barsoum et al. 2016 do
    (arXiv:1608.01041).

    The levels are equalised to -1..1, a plane fitted by least squares is subtracted, and the rest is divided
    by its standard deviation. What comes out is stored in bytes: 128 is the mean and 36 levels are one
    standard deviation (cut off at 3.5). Of an RGB image the luminance is taken, the same in every channel.
    """
    grey = _luminance(pixels)
    share = np.bincount(grey.ravel(), minlength=256).cumsum() / grey.size
    rest = _without_plane(2 * share[grey] - 1)
    spread = rest.std()
    if spread > 1e-6:
        rest /= spread
    levels: Pixels = np.clip(np.rint(128 + LEVELS * rest), 0, 255).astype(np.uint8)
    return levels[None].repeat(len(pixels), 0)


def _without_plane(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Values (height, width) less the plane that is nearest to them."""
    rest: npt.NDArray[np.float64] = values - values.mean()
    for axis, size in enumerate(values.shape):
        line = np.arange(size) - (size - 1) / 2
        along = rest.mean(1 - axis)
        slope = (along * line).sum() / max((line**2).sum(), 1)
        rest -= np.expand_dims(slope * line, 1 - axis)
    return rest


def _luminance(pixels: Pixels) -> Pixels:
    """Return the grey levels (height, width) of an image of one or three channels."""
    grey: Pixels = pixels[0] if len(pixels) == 1 else np.rint(np.tensordot(LUMINANCE, pixels, 1)).astype(np.uint8)
    return grey


STEPS: dict[str, Callable[[Any], Pixels] | None] = {
    "none": None,
    "equalize": equalized,
    "illumination": illumination_corrected,
}
