"""Decoding of an image file of any size, mode and number of frames to a small uint8 array."""

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from itertools import islice
from os import cpu_count
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from fersearch.data.depth import Bits, OwnDepth, SharedDepth, deep_values, highest_of, narrowed
from fersearch.data.folders import unreadable
from fersearch.data.opening import opened
from fersearch.data.pictures import Pictures
from fersearch.data.step_lists import Steps, standard
from fersearch.data.steps import Annotation, Transform
from fersearch.errors import DataError

T = TypeVar("T")
Pixels = npt.NDArray[np.uint8]
Job = tuple[Path, Annotation | None]
CHUNK = 64
LARGE_FILE = 16_384
SHOWN = 10  # files that cannot be read and are named, if there are more
DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)


def decode(path: Path, image_size: int = 48, channels: int = 1) -> Pixels:
    """Read one image as uint8 (channels, image_size, image_size).

    The first frame of an animation, 16 bits scaled by the bits in use, real-valued grey by 0..1 or 0..255,
    transparency laid on white, the orientation of a camera applied; another size is cropped to a square around the
    middle and resized.

    Raises:
        DataError: the file is missing, empty, corrupt or may not be read; the message names it.
    """
    return Transform.of(standard(image_size, channels))(upright(path), where=path)


def upright(path: Path, bits: Bits | None = None) -> Image.Image:
    """Read one whole image with 8 bits a channel, upright as the camera was held.

    `bits` gives the number of bits by which a 16-bit image is scaled; by default as many as it uses.

    Raises:
        DataError: as `decode`.
    """
    try:
        with opened(path) as image:
            picture = _upright(image, bits or OwnDepth())
            picture.load()
            return picture
    except DECODER_ERRORS as error:
        raise _refusal(path, error) from None


def upright_of(content: bytes, name: str, bits: Bits | None = None) -> Image.Image:
    """Read one image out of memory, as `upright` reads a file; error messages call it `name`.

    Raises:
        DataError: it is empty or corrupt, or larger than an image may be.
    """
    if not content:
        raise DataError(f"image {name} is empty (0 bytes)", "send an image file")
    try:
        with opened(Path(name), BytesIO(content)) as image:
            picture = _upright(image, bits or OwnDepth())
            picture.load()
            return picture
    except DECODER_ERRORS as error:
        reason = "not an image that can be read" if "cannot identify" in str(error) else str(error)
        raise DataError(f"image {name} is corrupt: {reason}", "send a PNG, JPEG, WebP, GIF, BMP or TIFF file") from None


def fit(pixels: Pixels, image_size: int, channels: int) -> Pixels:
    """Turn grey pixels (height, width) into (channels, image_size, image_size), resized if need be."""
    if pixels.shape == (image_size, image_size):
        return np.repeat(pixels[None], channels, 0)
    return Transform.of(standard(image_size, channels))(Image.fromarray(pixels))


def drawn(faces: Callable[[], Iterable[Pixels]], image_size: int, channels: int) -> Pictures:
    """Grey faces (height, width) that do not come from files, each turned into an input as a picture is."""

    def decode(pictures: Pictures) -> Iterator[Pixels]:
        yield from (pictures.transform(Image.fromarray(pixels)) for pixels in faces())

    return Pictures(decode, standard(image_size, channels))


def decode_all(
    paths: Sequence[Path],
    image_size: int,
    channels: int,
    findings: list[str],
    steps: Steps | None = None,
    annotations: Sequence[Annotation | None] | None = None,
) -> Pictures:
    """Return every image in order, decoded on access; once done, conversions are added to `findings`.

    `steps` (see `fersearch.data.steps`) say how a picture becomes an input, by default its middle square;
    `annotations` have what some steps need to know of each picture.

    Raises (on access to an image):
        DataError: as `decode`; after the first file that cannot be read the others are tried too, and the
            message names all.
    """
    depth = SharedDepth(paths, _highest)

    def decode(pictures: Pictures) -> Iterator[Pixels]:
        kinds: Counter[str] = Counter()
        refused: list[DataError] = []
        jobs = list(zip(paths, annotations or [None] * len(paths), strict=True))
        for decoded in _decoded(jobs, pictures.transform, depth):
            if isinstance(decoded, DataError):
                refused.append(decoded)
            elif not refused:
                pixels, kind = decoded
                kinds[kind] += 1
                yield pixels
        if refused:
            raise _together(refused)
        findings.extend([*depth.findings(), *_conversions(kinds, image_size, channels)])

    return Pictures(decode, steps or standard(image_size, channels), annotations, depth)


def _decoded(jobs: Sequence[Job], transform: Transform, bits: Bits) -> Iterator[tuple[Pixels, str] | DataError]:
    """Decode large files on all cores; with small ones the threads would only wait for each other."""

    def tried(job: Job) -> tuple[Pixels, str] | DataError:
        try:
            return _decode(job, transform, bits)
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
    """Return one error for all, with the first messages and the number of the others."""
    if len(refused) == 1:
        return refused[0]
    lines = [f"\n  {error.message}" for error in refused[:SHOWN]]
    if len(refused) > SHOWN:
        lines.append(f"\n  and {len(refused) - SHOWN:,} more")
    message = f"{len(refused):,} images cannot be used:{''.join(lines)}"
    return DataError(message, "restore the files, or leave them out")


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


def _decode(job: Job, transform: Transform, bits: Bits) -> tuple[Pixels, str]:
    path, known = job
    try:
        with opened(path) as image:
            kind = f"{image.width}x{image.height} {image.mode}"
            if getattr(image, "n_frames", 1) > 1:
                kind += " animated"
            return transform(_upright(image, bits), known, path), kind
    except DECODER_ERRORS as error:
        raise _refusal(path, error) from None


def _highest(path: Path) -> int | None:
    """Return the highest value of a 16-bit image; None for another, or one that cannot be read."""
    try:
        with opened(path) as image:
            values = deep_values(image)
    except (*DECODER_ERRORS, DataError):
        return None
    return None if values is None else highest_of(values)


def _upright(image: Image.Image, bits: Bits) -> Image.Image:
    values = deep_values(image)
    picture = image if values is None else narrowed(values, bits(highest_of(values)))
    if "exif" in image.info:
        picture.info["exif"] = image.info["exif"]
        picture = ImageOps.exif_transpose(picture)
    return _eight_bit(picture)


def _refusal(path: Path, error: Exception) -> DataError:
    if isinstance(error, OSError) and error.errno is not None:
        return unreadable(path, error)
    if path.stat().st_size == 0:
        return DataError(f"image {path} is empty (0 bytes)", "restore the file, or leave it out")
    reason = "not an image that can be read" if "cannot identify" in str(error) else str(error)
    return DataError(f"image {path} is corrupt: {reason}", "restore the file, or leave it out")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return the image in a mode of 8 bits a channel without transparency."""
    if image.mode in ("L", "RGB"):
        return image if "transparency" not in image.info else _on_white(image)
    if image.mode.startswith(("I", "F")):
        return Image.fromarray(_scaled(np.asarray(image)))
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        return _on_white(image)
    return image.convert("L" if image.mode == "1" else "RGB")


def _scaled(values: npt.NDArray[np.generic]) -> Pixels:
    """Scale grey values of more than 16 bits to 0..255: reals from 0..1 or 0..255, integers by their highest."""
    numbers = values.astype(np.float64)
    highest = float(numbers.max(initial=0.0))
    if np.issubdtype(values.dtype, np.floating):
        numbers *= 255 if highest <= 1 else 1
    elif highest > 0:
        numbers *= 255 / highest
    return np.clip(np.rint(np.nan_to_num(numbers)), 0, 255).astype(np.uint8)


def _on_white(image: Image.Image) -> Image.Image:
    ground = Image.new("RGBA", image.size, "white")
    ground.alpha_composite(image.convert("RGBA"))
    return ground.convert("RGB")


def _conversions(kinds: Counter[str], image_size: int, channels: int) -> list[str]:
    plain = f"{image_size}x{image_size} {'L' if channels == 1 else 'RGB'}"
    changed = [(kind, n) for kind, n in kinds.most_common() if kind != plain]
    if not changed:
        return []
    counts = ", ".join(f"{n:,} of {kind}" for kind, n in changed[:4])
    more = f" and {len(changed) - 4} more kinds" if len(changed) > 4 else ""
    colour = "grey" if channels == 1 else "RGB"
    total = sum(n for _, n in changed)
    return [f"{total:,} images were converted to {image_size}x{image_size} {colour}: {counts}{more}"]
