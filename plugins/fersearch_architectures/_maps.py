"""How large the maps are that convolutions and pools leave of an image."""

import itertools
from collections.abc import Callable

from fersearch.errors import UsageError


def last_side(name: str, image_size: int, side: Callable[[int], int]) -> int:
    """Return the side of the last map, which `side` gives for the side of an image.

    Raises:
        UsageError: nothing is left of such an image.
    """
    left = side(image_size)
    if left < 1:
        least = next(size for size in itertools.count(image_size + 1) if side(size) >= 1)
        raise UsageError(
            f"{name}: nothing is left of images of {image_size}x{image_size} after its convolutions and pools",
            f"give images of {least}x{least} or more: --image-size {least}",
        )
    return left
