"""One image file in, one small uint8 array out, whatever the file's size, mode or number of frames."""

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from os import cpu_count
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from fersearch.data.folders import unreadable
from fersearch.data.formats import lacking
from fersearch.errors import DataError

T = TypeVar("T")
Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
Cut = Callable[[Image.Image], Image.Image]
CHUNK = 64
LARGE_FILE = 16_384
SHOWN = 10  # files that cannot be read and are named, if there are more
DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def decode(path: Path, image_size: int = 48, channels: int = 1) -> Pixels:
    """Read one image as uint8 (channels, image_size, image_size).

    The first frame of an animation, 16-bit and real-valued grey scaled to 8 bits, transparency laid on white,
    the orientation of a camera applied; another size is cropped to a square around the middle and resized.

    Raises:
        DataError: the file is missing, empty, corrupt or may not be read; the message names it.
    """
    return _decode(path, image_size, channels)[0]


def upright(path: Path) -> Image.Image:
    """Read one image whole, with 8 bits a channel and the way the camera was held.

    Raises:
        DataError: as `decode`.
    """
    try:
        with _opened(path) as image:
            found = _upright(image)
            found.load()
            return found
    except DECODER_ERRORS as error:
        raise _refusal(path, error) from None


def squared(image: Image.Image, image_size: int, channels: int) -> Pixels:
    """An image of 8 bits a channel as `decode` gives it: uint8 (channels, image_size, image_size)."""
    return _fit(image, image_size, channels)


def fit(pixels: Pixels, image_size: int, channels: int) -> Pixels:
    """Turn grey pixels (height, width) into (channels, image_size, image_size), resized if need be."""
    if pixels.shape == (image_size, image_size):
        return np.repeat(pixels[None], channels, 0)
    return _fit(Image.fromarray(pixels), image_size, channels)


def boxed(box: Box, path: Path) -> Cut:
    """What cuts a box (left, top, right, bottom in pixels) out of an image, as far as it reaches into it.

    Raises (when it cuts):
        DataError: the box lies outside the image; `path` names it in the message.
    """

    def cut(image: Image.Image) -> Image.Image:
        left, top = max(box[0], 0), max(box[1], 0)
        right, bottom = min(box[2], image.width), min(box[3], image.height)
        if left >= right or top >= bottom:
            raise DataError(
                f"box {box} lies outside image {path}, which is {image.width}x{image.height}",
                "boxes are left, top, right, bottom in pixels; restore the list that holds it",
            )
        return image.crop((left, top, right, bottom))

    return cut


def decode_all(
    paths: Sequence[Path],
    image_size: int,
    channels: int,
    findings: list[str],
    cuts: Sequence[Cut | None] | None = None,
) -> Iterator[Pixels]:
    """Yield every image in order; when done, add what was converted to `findings`.

    `cuts` has a function for each image that takes a part of it, the face say, before it is fitted to a square.

    Raises:
        DataError: as `decode`; after the first file that cannot be read the others are tried too, and all are named.
    """
    kinds: Counter[str] = Counter()
    refused: list[DataError] = []
    for found in _decoded(list(zip(paths, cuts or [None] * len(paths), strict=True)), image_size, channels):
        if isinstance(found, DataError):
            refused.append(found)
        elif not refused:
            pixels, kind = found
            kinds[kind] += 1
            yield pixels
    if refused:
        raise _together(refused)
    findings += _conversions(kinds, image_size, channels)


def _decoded(
    jobs: Sequence[tuple[Path, Cut | None]], image_size: int, channels: int
) -> Iterator[tuple[Pixels, str] | DataError]:
    """Decode large files on all cores; with small ones the threads would only wait for each other."""

    def tried(job: tuple[Path, Cut | None]) -> tuple[Pixels, str] | DataError:
        try:
            return _decode(job[0], image_size, channels, job[1])
        except DataError as error:
            return error

    workers = cpu_count() or 1
    if workers == 1 or not _are_large([path for path, _ in jobs[:CHUNK]]):
        yield from map(tried, jobs)
        return
    with ThreadPoolExecutor(workers) as pool:
        for chunk in chunks(jobs, CHUNK):
            yield from pool.map(tried, chunk)


def _together(refused: Sequence[DataError]) -> DataError:
    """One error that tells of each, or of the first ones and how many more there are."""
    if len(refused) == 1:
        return refused[0]
    lines = [f"\n  {error.message}" for error in refused[:SHOWN]]
    if len(refused) > SHOWN:
        lines.append(f"\n  and {len(refused) - SHOWN:,} more")
    told = f"{len(refused):,} images cannot be used:{''.join(lines)}"
    return DataError(told, "restore the files, or leave them out")


def _are_large(paths: Sequence[Path]) -> bool:
    try:
        sizes = [path.stat().st_size for path in paths]
    except OSError:
        return False
    return sum(sizes) > LARGE_FILE * len(sizes)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of `size` items, the last one shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def _decode(path: Path, image_size: int, channels: int, cut: Cut | None = None) -> tuple[Pixels, str]:
    try:
        with _opened(path) as image:
            kind = f"{image.width}x{image.height} {image.mode}"
            if getattr(image, "n_frames", 1) > 1:
                kind += " animated"
            found = _upright(image)
            return _fit(cut(found) if cut else found, image_size, channels), kind
    except DECODER_ERRORS as error:
        raise _refusal(path, error) from None


def _opened(path: Path) -> Image.Image:
    """An image file opened; the decoder of a rare format is registered first."""
    lacking(path.name)
    return Image.open(path)


def _upright(image: Image.Image) -> Image.Image:
    return _eight_bit(ImageOps.exif_transpose(image) if "exif" in image.info else image)


def _refusal(path: Path, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.errno is not None:
        return unreadable(path, error)
    if path.stat().st_size == 0:
        return DataError(f"image {path} is empty (0 bytes)", "restore the file, or leave it out")
    reason = "no image that can be read" if "cannot identify" in str(error) else str(error)
    return DataError(f"image {path} is corrupt: {reason}", "restore the file, or leave it out")


def _eight_bit(image: Image.Image) -> Image.Image:
    """The image in a mode of 8 bits a channel without transparency."""
    if image.mode in ("L", "RGB"):
        return image if "transparency" not in image.info else _on_white(image)
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled(np.asarray(image)))
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        return _on_white(image)
    return image.convert("L" if image.mode == "1" else "RGB")


def _scaled(values: npt.NDArray[np.generic]) -> Pixels:
    """Grey values of more than 8 bits as 0..255: 16 bits by their full range, reals by 0..1 or 0..255."""
    numbers = values.astype(np.float64)
    highest = float(numbers.max(initial=0.0))
    if np.issubdtype(values.dtype, np.floating):
        numbers *= 255 if highest <= 1 else 1
    elif values.dtype.itemsize == 2 or 255 < highest <= 65535:
        numbers /= 257
    elif highest > 65535:
        numbers *= 255 / highest
    return np.clip(np.rint(np.nan_to_num(numbers)), 0, 255).astype(np.uint8)


def _on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


def _fit(image: Image.Image, image_size: int, channels: int) -> Pixels:
    mode = "L" if channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != (image_size, image_size):
        image = ImageOps.fit(image, (image_size, image_size), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _conversions(kinds: Counter[str], image_size: int, channels: int) -> list[str]:
    plain = f"{image_size}x{image_size} {'L' if channels == 1 else 'RGB'}"
    changed = [(kind, n) for kind, n in kinds.most_common() if kind != plain]
    if not changed:
        return []
    told = ", ".join(f"{n:,} of {kind}" for kind, n in changed[:4])
    more = f" and {len(changed) - 4} more kinds" if len(changed) > 4 else ""
    colour = "grey" if channels == 1 else "RGB"
    total = sum(n for _, n in changed)
    return [f"{total:,} images were converted to {image_size}x{image_size} {colour}: {told}{more}"]
