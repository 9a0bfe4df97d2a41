"""Digests by which data is recognised: of files, of single images, and of what a trial sees of them.

The rules have versions, `FILES_VERSION` and `SEEN_VERSION`: digests of two versions cannot be compared.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fersearch.data.folders import unreadable
from fersearch.data.identity import SEEN_VERSION

IMAGE_BYTES = 16
CHUNK = 1024  # images
BLOCK = 2**16  # bytes of a file
MAKERS = {
    "fersearch": ("fersearch",),
    "pillow": ("pillow",),
    "numpy": ("numpy",),
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
}

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
ImageDigests = npt.NDArray[np.uint8]


def of_files(files: Sequence[Path], source: Path) -> str:
    """Return the SHA-256 of some files: of their names relative to the source and their bytes, in the order of the
    names.

    `source` is the dataset's folder, or its one file. Modification times do not count.

    Raises:
        DataError: a file is missing or cannot be read.
    """
    top = source if source.is_dir() else source.parent
    named = {relative_name(path, top): path for path in files}
    content = hashlib.sha256()
    for name in sorted(named):
        content.update(len(name).to_bytes(8, "big") + name + _bytes_digest(named[name]))
    return content.hexdigest()


def relative_name(path: Path, top: Path) -> bytes:
    """Return a file's name as seen from a folder, with `/` between its parts; one outside goes up first."""
    try:
        within = path.relative_to(top)
    except ValueError:
        within = Path(os.path.relpath(path, top))
    return os.fsencode(within.as_posix())


def of_images(images: npt.NDArray[np.uint8]) -> ImageDigests:
    """Return a digest (BLAKE2b of 16 bytes) of the pixels of each image, uint8 (n, 16)."""
    image_digests = np.empty((len(images), IMAGE_BYTES), np.uint8)
    for start in range(0, len(images), CHUNK):
        for row, pixels in enumerate(np.ascontiguousarray(images[start : start + CHUNK]), start):
            image_digests[row] = np.frombuffer(pixel_digest(pixels), np.uint8)
    return image_digests


def pixel_digest(pixels: Array) -> bytes:
    """Return a digest of 16 bytes (BLAKE2b) that images share if they are equal in every pixel; `pixels` are uint8 of
    any shape."""
    return hashlib.blake2b(pixels.tobytes(), digest_size=IMAGE_BYTES).digest()


def of_rows(
    class_names: Sequence[str],
    shape: Sequence[int],
    images: ImageDigests,
    columns: Mapping[str, Array | None],
    parts: Mapping[str, Ints],
) -> str:
    """Return the SHA-256 of what can be seen of some images: classes, shape, and for each part of the split, in its
    order,
    the pixels of its images and their values in each column (labels, votes, subjects).

    Rows in no part, file names and the positions of rows among them do not count.
    """
    content = hashlib.sha256(json.dumps([SEEN_VERSION, list(class_names), list(shape)]).encode())
    for part, rows in parts.items():
        content.update(f"{part} {len(rows)}\n".encode())
        content.update(images[rows].tobytes())
        for name, values in columns.items():
            if values is not None:
                content.update(f"{name}\n".encode() + _plain(np.asarray(values)[rows]))
    return content.hexdigest()


def together(digests: Sequence[str]) -> str:
    """Return one digest for several; where all are equal, that digest itself."""
    different = list(dict.fromkeys(digests))
    return different[0] if len(different) == 1 else hashlib.sha256("\n".join(different).encode()).hexdigest()


def makers() -> dict[str, str]:
    """Return the versions of the installed packages that decide which arrays files are decoded to."""
    versions = {name: next(filter(None, map(_version, packages)), "") for name, packages in MAKERS.items()}
    return {name: version for name, version in versions.items() if version}


def _bytes_digest(path: Path) -> bytes:
    content = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:  # most are small: a buffer would cost more than it saves
            while block := file.read(BLOCK):
                content.update(block)
    except OSError as error:
        raise unreadable(path, error) from None
    return content.digest()


def _plain(values: Array) -> bytes:
    """Return values as bytes that do not depend on the machine or on the width of an array of strings."""
    if values.dtype.kind == "f":
        return values.astype("<f4").tobytes()
    if values.dtype.kind in "iub":
        return values.astype("<i8").tobytes()
    return "\0".join(map(str, values.tolist())).encode("utf-8", "surrogateescape")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
