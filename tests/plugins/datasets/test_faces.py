"""The drawn faces: they keep the contract, and equal seeds draw equal faces."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from fersearch_datasets import _people as people
from fersearch_datasets._drawing import draw
from fersearch_datasets.faces import Faces

from fersearch.data.arrays import load, prepare
from fersearch.data.verify import show
from fersearch.testing import DatasetSuite

SMALL = {"train": 100, "valid": 40, "test": 40}

# Figures of the block of seed 5, test, index 3, hardness 0.5, from the prototype that these drawings come from.
LABELS = [5, 7, 9, 7, 6, 4, 7, 1, 5, 5, 7, 3]
SUBJECTS = [1113, 836, 1183, 998]
VOTES = [[2, 0, 0, 0, 0, 7, 0, 0, 0, 1], [5, 0, 0, 0, 0, 0, 0, 5, 0, 0]]
UNITS = 0.091720
NOISE = 0.0038612
MEANS = [154.67, 115.0, 183.37, 121.82, 86.31, 109.81, 142.91, 129.44]


class TestFaces(DatasetSuite):
    dataset = Faces()
    options: ClassVar = SMALL


def test_the_figures_of_a_block_are_what_they_were() -> None:
    block = people.block(seed=5, split="test", index=3, hardness=0.5)
    assert block.labels[:12].tolist() == LABELS
    assert block.subjects[:4].tolist() == SUBJECTS
    assert block.votes[:2].tolist() == VOTES
    assert float(np.mean([unit.mean() for unit in block.units.values()])) == pytest.approx(UNITS, abs=1e-5)
    assert float(block.noise.mean()) == pytest.approx(NOISE, abs=1e-6)


def test_the_pixels_of_a_block_are_what_they_were() -> None:
    means = draw(people.block(seed=5, split="test", index=3, hardness=0.5)).mean((1, 2))
    assert means[:8].tolist() == pytest.approx(MEANS, abs=0.5)


def test_a_face_does_not_depend_on_how_many_are_drawn(tmp_path: Path) -> None:
    few = prepare(Faces(), None, SMALL, tmp_path)
    more = prepare(Faces(), None, {**SMALL, "train": 200}, tmp_path)
    assert np.array_equal(few.images[:100], more.images[:100])
    assert np.array_equal(few.columns["label"][100:], more.columns["label"][200:])


def test_another_seed_draws_others(tmp_path: Path) -> None:
    one, two = (prepare(Faces(), None, {**SMALL, "seed": seed}, tmp_path) for seed in (0, 1))
    assert not np.array_equal(one.images[0], two.images[0])
    assert one.digest != two.digest


def test_the_default_size_is_the_one_promised() -> None:
    sizes = {part: Faces.decoding[part].search for part in ("train", "valid", "test")}
    assert sizes == {"train": "4000", "valid": "1000", "test": "1000"}


def test_sizes_are_the_requested_ones_and_classes_keep_their_order(tmp_path: Path) -> None:
    shown = show(Faces(), prepare(Faces(), None, SMALL, tmp_path), {})
    assert {part: facts["n"] for part, facts in shown["splits"].items()} == SMALL
    assert tuple(shown["classes"]) == people.CLASSES
    assert len(shown["classes"]) == 10


def test_nobody_is_in_two_parts(tmp_path: Path) -> None:
    prepared = prepare(Faces(), None, SMALL, tmp_path)
    seen = [set(prepared.columns["subject"][prepared.columns["split"] == part].tolist()) for part in range(3)]
    assert len(set.union(*seen)) == sum(len(who) for who in seen)


def test_most_votes_agree_with_the_label(tmp_path: Path) -> None:
    prepared = prepare(Faces(), None, SMALL, tmp_path)
    assert (prepared.columns["votes"].argmax(1) == prepared.columns["label"]).mean() > 0.8
    assert (prepared.columns["votes"].sum(1) == 10).all()


def test_votes_become_targets(tmp_path: Path) -> None:
    prepared = prepare(Faces(), None, SMALL, tmp_path)
    loaded = load(Faces(), prepared, {"target": "crossentropy"})
    assert loaded.soft is not None
    assert np.allclose(loaded.soft * 10, prepared.columns["votes"])
    assert np.array_equal(loaded.hard, prepared.columns["label"])


def test_several_votes_become_several_targets(tmp_path: Path) -> None:
    prepared = prepare(Faces(), None, SMALL, tmp_path)
    loaded = load(Faces(), prepared, {"target": "multi_target"})
    assert loaded.soft is not None
    votes = prepared.columns["votes"]
    assert np.array_equal(loaded.soft == 1, (votes >= 3) | (votes == votes.max(1, keepdims=True)))


def test_more_hardness_makes_harder_pictures() -> None:
    easy, hard = (draw(people.block(0, "train", 0, hardness)).astype(float) for hardness in (0.0, 1.0))
    roughness = [np.abs(np.diff(images, axis=2)).mean() for images in (easy, hard)]
    assert roughness[0] < roughness[1]


def test_they_are_called_drawings() -> None:
    for text in (Faces.summary, Faces.licence):
        assert "drawings" in text
        assert "not faces" in text
        assert "say nothing about real data" in text
