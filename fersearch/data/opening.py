"""Opens an image file: by its content and not its name, of a known format and a bounded size."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from fersearch.data.formats import lacking
from fersearch.errors import DataError

FORMATS = ("AVIF", "BMP", "DIB", "GIF", "HEIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "SGI", "TIFF", "WEBP")
"""What is read: no format for which Pillow would start another program, as it does Ghostscript for PostScript."""
MOST_PIXELS = 2**26  # 8192 x 8192: up to a gigabyte while it is decoded
MANY_PIXELS = 2**24  # images above that are decoded one at a time, however many cores there are
_many = threading.Lock()


@contextmanager
def opened(path: Path, content: BinaryIO | None = None) -> Iterator[Image.Image]:
    """Yield an image that is not decoded yet, if it is of `FORMATS` and of at most `MOST_PIXELS`.

    With `content`, the image is read from there and `path` only names it.

    Raises:
        DataError: it has more pixels.
        OSError, SyntaxError ...: as Pillow raises them.
    """
    lacking(path.name)  # registers the decoder of a rare format
    try:
        image = Image.open(content or path, formats=readable())
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    with image:
        if image.width * image.height > MOST_PIXELS:
            raise _too_large(path)
        with _many if image.width * image.height > MANY_PIXELS else nullcontext():
            yield image


def readable() -> list[str]:
    """Return the names in `FORMATS` that the installed Pillow can read."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def quiet() -> None:
    """Silence Pillow's warnings: what matters in a dataset is reported in `findings`."""
    warnings.filterwarnings("ignore", module=r"PIL(\.|$)")


def _too_large(path: Path) -> DataError:
    return DataError(f"image {path} has more than {MOST_PIXELS:,} pixels", "make it smaller, or leave it out")


quiet()
