"""Pairs of images that show the same picture: a perceptual hash proposes them, the correlation of pixels confirms.

The hash of an image is the signs of the 64 lowest frequencies of its grey values but for the constant (a discrete
cosine transform): it survives other sizes, brightness, contrast and JPEG compression. In a mirrored image the odd
horizontal frequencies change their signs, so that its hash follows from the image's own. Pairs are found without
comparing all: hashes that differ in at most 7 of 64 bits differ in at most one bit of one of four bands of 16.

Source: hashing by the DCT, Zauner: Implementation and Benchmarking of Perceptual Image Hash Functions, 2010.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fersearch.errors import DataError

Array = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
Images = npt.NDArray[np.uint8]
Hashes = npt.NDArray[np.uint16]

BITS = 7
"""Hashes of a pair differ in at most this many of 64 bits."""
CORRELATION = 0.9
"""Lowest correlation of the grey values of a pair, one of them mirrored for a mirrored pair."""
MOST = 20_000_000
"""With more candidates than this, images are so much alike that pairs mean nothing."""
SIDE, BANDS, BAND_BITS = 9, 4, 16
CHUNK = 2048
_ORDER = sorted(((u, v) for u in range(SIDE) for v in range(SIDE) if u or v), key=lambda at: (sum(at), at))[:64]
_VERTICAL, _HORIZONTAL = (np.array(places) for places in zip(*_ORDER, strict=True))
_ONES = np.array([bin(value).count("1") for value in range(2**BAND_BITS)], np.uint8)
_MASKS = (0, *(1 << bit for bit in range(BAND_BITS)))


@dataclass(frozen=True)
class Pairs:
    """Pairs of pictures that are near each other.

    `picture` (int64, n) numbers the different pictures of n images: images share one if they are equal in every pixel.
    `rows` (int64, m x 2) holds pairs of their numbers, the smaller first, each once, and `mirrored` (bool, m) whether
    one is the other mirrored.
    """

    picture: Ints
    rows: Ints
    mirrored: npt.NDArray[np.bool_]

    def touching(self, some: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return which pictures are near one of `some` (bool, by picture)."""
        is_near = np.zeros(len(some), bool)
        for one, other in ((0, 1), (1, 0)):
            is_near[self.rows[some[self.rows[:, other]], one]] = True
        return is_near


def hashes(images: Images) -> Hashes:
    """Return the hash of each image (n x channels x size x size) as four bands of 16 bits, uint16 (n, 4)."""
    size = images.shape[-1]
    waves = np.cos(np.pi * np.outer(np.arange(SIDE), 2 * np.arange(size) + 1) / (2 * size)).astype(np.float32)
    bits = np.empty((len(images), len(_ORDER)), bool)
    for start in range(0, len(images), CHUNK):
        frequencies = waves @ grey(images[start : start + CHUNK]) @ waves.T
        bits[start : start + CHUNK] = frequencies[:, _VERTICAL, _HORIZONTAL] > 0
    return _packed(bits)


def mirrored(image_hashes: Hashes) -> Hashes:
    """Return the hashes of the mirrored images."""
    return image_hashes ^ _packed((_HORIZONTAL % 2 == 1)[None])


def distances(some: Hashes, others: Hashes) -> npt.NDArray[np.int64]:
    """Return in how many bits hashes differ, pair by pair."""
    return np.asarray(_ONES[some ^ others].sum(axis=-1, dtype=np.int64))


def near_pairs(images: Images, digests: Array) -> Pairs:
    """Return every pair of pictures that are the same, or the same mirrored, but not equal in every pixel.

    Args:
        images: uint8 (n, channels, size, size).
        digests: what images share if they are equal in every pixel, (n, bytes).

    Raises:
        DataError: too many images are alike to list pairs.
    """
    _, first, picture = np.unique(digests, axis=0, return_index=True, return_inverse=True)
    rows, is_mirrored = _near_rows(images, np.sort(first))
    numbers = np.empty(len(images), np.int64)
    numbers[np.sort(first)] = np.arange(len(first))
    return Pairs(numbers[first][picture.reshape(-1)], numbers[rows], is_mirrored)


def _near_rows(images: Images, different: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Return pairs of some rows, and which of them are mirrored."""
    different_hashes = hashes(images)[different]
    upright, flipped = (
        candidates(different_hashes, different_hashes),
        candidates(mirrored(different_hashes), different_hashes),
    )
    rows = different[np.concatenate([upright, flipped])]
    is_mirrored = np.arange(len(rows)) >= len(upright)
    alike = correlations(images, rows, is_mirrored) >= CORRELATION
    rows, is_mirrored = rows[alike], is_mirrored[alike]
    _, first = np.unique(rows, axis=0, return_index=True)  # of a symmetric picture the upright pair
    return rows[first], is_mirrored[first]


def candidates(some: Hashes, others: Hashes) -> Ints:
    """Return pairs of rows (i < j), each once, where `some[i]` and `others[j]` differ in at most 7 bits, int64 (m, 2).

    Raises:
        DataError: there are too many.
    """
    pairs, total = [np.empty((0, 2), np.int64)], 0
    for band in range(BANDS):
        order = np.argsort(others[:, band], kind="stable")
        counts = np.bincount(others[:, band], minlength=2**BAND_BITS)
        starts = np.concatenate([[0], counts.cumsum()])
        for mask in _MASKS:
            keys = some[:, band] ^ np.uint16(mask)
            for one, place in _expanded(starts[keys], counts[keys]):
                other = order[place]
                near = one < other
                near[near] = distances(some[one[near]], others[other[near]]) <= BITS
                pairs.append(np.stack([one[near], other[near]], axis=1))
                if (total := total + len(pairs[-1])) > MOST:
                    raise DataError(f"more than {MOST:,} pairs of images look alike", "use duplicates = drop or keep")
    return np.unique(np.concatenate(pairs), axis=0)


def correlations(images: Images, rows: Ints, is_mirrored: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return the correlation of the grey values of each pair, the second mirrored where `is_mirrored`; 0 for a flat
    image."""
    values = np.empty(len(rows))
    for start in range(0, len(rows), CHUNK):
        part = slice(start, start + CHUNK)
        one, other = (grey(images[rows[part, side]]) for side in (0, 1))
        other = np.where(is_mirrored[part, None, None], other[:, :, ::-1], other)
        values[part] = (_standard(one) * _standard(other)).sum(axis=1)
    return values


def grey(images: Images) -> npt.NDArray[np.float32]:
    """Return the mean of the channels, float32 (n, size, size)."""
    return np.asarray(images.mean(axis=1, dtype=np.float32))


def _packed(bits: npt.NDArray[np.bool_]) -> Hashes:
    return np.packbits(bits, axis=1).view(">u2").astype(np.uint16)


def _expanded(starts: Ints, counts: Ints, most: int = 2**22) -> Iterator[tuple[Ints, Ints]]:
    """Yield each row as often as it has partners, with the partners' places, a few million at a time."""
    ends = np.concatenate([[0], counts.cumsum()])
    cuts = np.unique(np.searchsorted(ends, np.arange(0, int(ends[-1]), most))).tolist()
    for low, high in pairwise([*cuts, len(counts)]):
        own = counts[low:high]
        rows = np.repeat(np.arange(low, high), own)
        before = np.asarray(starts[low:high] - (own.cumsum() - own), np.int64)
        yield rows, np.repeat(before, own) + np.arange(len(rows))


def _standard(pixels: npt.NDArray[np.float32]) -> Array:
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9))
