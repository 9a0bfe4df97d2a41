"""Ways to take a square out of a photograph before it is resized."""

from collections.abc import Sequence

from PIL import Image

from fersearch.data.images import Cut

FACE_MARGIN = 1.2


def squeezed(image_size: int) -> Cut:
    """The whole picture, squeezed to a square of `image_size` pixels: nothing is lost but its proportions."""
    return lambda image: image.resize((image_size, image_size), Image.Resampling.BILINEAR)


def around(points: Sequence[tuple[float, float]]) -> Cut:
    """The square around some points (x, y in pixels) with a margin of a tenth on each side, kept in the picture."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    middle_x, middle_y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    wanted = max(max(xs) - min(xs), max(ys) - min(ys)) * FACE_MARGIN

    def cut(image: Image.Image) -> Image.Image:
        side = min(max(round(wanted), 1), *image.size)
        left = min(max(round(middle_x - side / 2), 0), image.width - side)
        top = min(max(round(middle_y - side / 2), 0), image.height - side)
        return image.crop((left, top, left + side, top + side))

    return cut
