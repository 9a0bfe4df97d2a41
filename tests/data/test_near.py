"""Near-duplicates: what a hash proposes, that it misses none within its reach, and what survives."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fersearch import Raw
from fersearch.data import near, splits
from fersearch.data.arrays import load, prepare
from fersearch.data.digests import of_images
from fersearch.data.near import Pairs, candidates, correlations, distances, hashes, mirrored, near_pairs
from fersearch.data.near_check import near_duplicates
from fersearch.errors import DataError
from fersearch.study import Protocol
from tests.drawn_face import photograph

SIZE = 48


def pictures(count: int, size: int = SIZE, seed: int = 0) -> np.ndarray:
    """Different pictures whose frequencies fade as those of photographs do, uint8 (n, 1, size, size)."""
    order = np.arange(24)
    waves = np.random.default_rng(seed).normal(size=(count, 24, 24)) / (1 + order[:, None] + order)
    basis = np.cos(np.pi * np.outer(order, 2 * np.arange(size) + 1) / (2 * size))
    drawn = basis.T @ waves @ basis
    low, high = drawn.min(axis=(1, 2), keepdims=True), drawn.max(axis=(1, 2), keepdims=True)
    return np.asarray(20 + 215 * (drawn - low) / (high - low), np.uint8)[:, None]


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels[0]).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))[None]


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels[0]).resize((size, size)))[None]


def found_in(images: np.ndarray) -> list[tuple[int, int, bool]]:
    pairs = near_pairs(images, of_images(images))
    assert len(set(map(tuple, pairs.rows.tolist()))) == len(pairs.rows)
    return [(int(a), int(b), bool(m)) for (a, b), m in zip(pairs.rows, pairs.mirrored, strict=True)]


@pytest.mark.parametrize(
    "change",
    [
        lambda one: jpeg(one, 30),
        lambda one: resized(resized(one, 36), SIZE),
        lambda one: np.asarray(one * 0.6 + 30, np.uint8),
    ],
    ids=["compressed", "resized", "dimmed"],
)
def test_a_picture_is_known_again_when_it_was_changed(change: Any) -> None:
    images = pictures(12)
    changed = change(images[3])
    assert found_in(np.concatenate([images, changed[None]])) == [(3, 12, False)]
    assert found_in(np.concatenate([images, changed[None, :, :, ::-1]])) == [(3, 12, True)]


def test_a_photograph_is_known_again_and_another_is_not() -> None:
    face = np.asarray(photograph(96, (10, 20), height=96).convert("L").resize((SIZE, SIZE)))[None]
    other = pictures(1)[0]
    assert found_in(np.stack([face, other, jpeg(face, 50)])) == [(0, 2, False)]


def test_mirroring_a_picture_turns_its_hash() -> None:
    images = pictures(40)
    assert np.array_equal(hashes(images[:, :, :, ::-1].copy()), mirrored(hashes(images)))


def test_no_pair_within_seven_bits_is_missed() -> None:
    chance = np.random.default_rng(5)
    some = chance.integers(0, 2**16, (300, 4), np.uint16)
    for row in range(150, 300):
        bits = chance.choice(64, chance.integers(0, 11), replace=False)
        some[row] = some[row - 150]
        for bit in bits:
            some[row, bit // 16] ^= np.uint16(1 << (bit % 16))
    apart = distances(some[:, None], some[None])
    expected = [pair for pair in np.argwhere(apart <= near.BITS).tolist() if pair[0] < pair[1]]
    assert len(expected) > 80
    assert candidates(some, some).tolist() == expected


def test_partners_are_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    starts, counts = np.array([4, 0, 2, 9]), np.array([3, 0, 2, 1])
    whole = [(row, start + k) for row, (start, n) in enumerate(zip(starts, counts, strict=True)) for k in range(n)]
    for most in (1, 2, 4, 100):
        read = [
            pair for rows, places in near._expanded(starts, counts, most) for pair in zip(rows, places, strict=True)
        ]
        assert read == whole
    assert [len(rows) for rows, _ in near._expanded(np.array([], int), np.array([], int))] == []


def test_correlations_equal_numpys_and_a_flat_image_has_none() -> None:
    images = np.random.default_rng(2).integers(0, 255, (4, 3, 20, 20), np.uint8)
    images[3] = 9
    result = correlations(images, np.array([[0, 1], [0, 1], [2, 3]]), np.array([False, True, False]))
    grey = images.mean(axis=1)
    assert result[0] == pytest.approx(np.corrcoef(grey[0].ravel(), grey[1].ravel())[0, 1], abs=1e-6)
    assert result[1] == pytest.approx(np.corrcoef(grey[0].ravel(), grey[1][:, ::-1].ravel())[0, 1], abs=1e-6)
    assert result[2] == 0


def test_images_that_are_equal_are_one_picture() -> None:
    images = pictures(5)
    images_with_copies = np.concatenate([images, images[2:3], jpeg(images[2], 50)[None], images[2:3]])
    pairs = near_pairs(images_with_copies, of_images(images_with_copies))
    assert pairs.picture.tolist() == [0, 1, 2, 3, 4, 2, 5, 2]
    assert pairs.rows.tolist() == [[2, 5]]
    assert pairs.mirrored.tolist() == [False]


def test_too_many_alike_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "MOST", 2)
    same = np.zeros((4, 4), np.uint16)
    with pytest.raises(DataError, match="more than 2 pairs of images look alike"):
        candidates(same, same)


PAIRS = Pairs(np.array([0, 1, 2, 0, 3, 4]), np.array([[0, 1], [2, 3]]), np.array([False, True]))
"""Six images of five pictures: 0 and 3 are equal, 0 is near 1, and 2 is near 3."""


def test_near_images_leave_the_side_that_learns() -> None:
    parts = np.array([0, 0, 0, 0, 0, 1], np.int8)
    assert splits.without_near(np.array([0, 1, 0, 0, 2, 0], np.int8), PAIRS).tolist() == [-1, 1, -1, -1, 2, 0]
    assert splits.without_near(np.array([1, 2, 0, 0, 1, -1], np.int8), PAIRS).tolist() == [-1, 2, -1, -1, 1, -1]
    assert splits.without_near(parts, PAIRS).tolist() == parts.tolist()


def test_a_study_leaves_out_of_train_what_is_nearly_what_judges(
    squares: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pictures(12)
    images[7], images[9] = jpeg(images[1], 40), images[2][:, :, ::-1]
    columns = {
        "label": np.array([0, 1] * 6),
        "split": np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, 2], np.int8),
        "subject": np.array([""] * 12),
    }
    monkeypatch.setattr(squares, "read", lambda *_: Raw(12, list(images), columns, ("dark", "bright")))
    copy = prepare(squares, source, {}, tmp_path / "near")
    trains = {kind: load(squares, copy, {}, Protocol(duplicates=kind)) for kind in ("drop", "near")}
    assert trains["drop"].indices["train"].tolist() == [0, 1, 2, 3, 4, 5]
    assert trains["near"].indices["train"].tolist() == [0, 3, 4, 5]
    assert trains["near"].warnings == ("2 images were left out: equal or nearly equal images are in valid or test",)


def test_near_duplicates_are_counted_by_pairs_of_parts() -> None:
    result = near_duplicates(PAIRS, np.array([0, 1, 0, 1, 0, -1]), "abcdef".__getitem__)
    train_train, train_valid, valid_valid = result
    assert (train_train.splits, train_train.pairs, train_train.mirrored) == (("train", "train"), 1, 1)
    assert (train_train.images, train_train.examples) == (2, (("c", "e"),))
    assert (train_valid.splits, train_valid.pairs, train_valid.images) == (("train", "valid"), 1, 1)
    assert (
        str(train_valid) == "1 valid images also occur, nearly equal, in train: 1 pairs, as a in train and b in valid"
    )
    assert (valid_valid.pairs, valid_valid.images, valid_valid.examples) == (1, 2, (("d", "b"),))
    (valid,) = near_duplicates(PAIRS, np.array([1, 1, -1, 1, -1, -1]), "abcdef".__getitem__)
    assert (valid.pairs, valid.images, valid.across) == (2, 3, False)
