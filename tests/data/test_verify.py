"""A dataset's report: counts by class and part, and everything that deserves a look."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fersearch import Raw
from fersearch.data import near
from fersearch.data.arrays import Prepared, prepare
from fersearch.data.verify import Report, show, verify

IMAGES = np.random.default_rng(0).integers(0, 255, (12, 1, 48, 48), dtype=np.uint8)


@pytest.fixture
def flawed(squares: Any, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """Twelve images: 0 again as 8 (test) with another label, 1 again as 6 (valid), 2 all of one grey."""
    images = IMAGES.copy()
    images[8], images[6], images[2] = images[0], images[1], 9
    columns: dict[str, Any] = {
        "label": np.array([0, 0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1]),
        "split": np.array([0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 2, -1], np.int8),
        "subject": np.array(["a", "a", "b", "b", "c", "c", "d", "d", "a", "e", "e", "a"]),
        "name": np.array([f"{k}.png" for k in range(12)]),
        "votes": np.array([[10, 0]] * 11 + [[3, 0]], np.uint8),
    }
    columns["votes"][4] = [4, 5]
    raw = Raw(12, list(images), columns, ("happy", "Happiness"), ["read with care"])
    monkeypatch.setattr(squares, "read", lambda *_: raw)
    return prepare(squares, source, {}, tmp_path / "flawed")


@pytest.fixture
def report(squares: Any, flawed: Prepared) -> Report:
    return verify(squares, flawed, {})


def test_counts_are_by_part_and_class_after_filtering(squares: Any, prepared: Prepared) -> None:
    assert show(squares, prepared, {}) == {
        "classes": ["dark", "bright"],
        "splits": {
            "train": {"n": 40, "per_class": {"dark": 20, "bright": 20}, "baseline": 0.5},
            "valid": {"n": 10, "per_class": {"dark": 5, "bright": 5}, "baseline": 0.5},
            "test": {"n": 10, "per_class": {"dark": 5, "bright": 5}, "baseline": 0.5},
        },
    }


def test_the_baseline_answers_the_commonest_class_of_train(report: Report) -> None:
    assert {name: part["baseline"] for name, part in report.splits.items()} == {
        "train": pytest.approx(4 / 6),
        "valid": 0.5,
        "test": 0.0,
    }


def test_every_flaw_is_detected(report: Report) -> None:
    assert report.findings == (
        "read with care",
        "classes 'happy' and 'Happiness' look like one class (happiness); they are kept apart",
        "test has no image of happy",
        "constant images: 1 (2.png)",
        "votes: 10 an image but for 1 (4.png)",
        "subject overlap: 1 subjects in both train and test",
        "exact duplicates: 2 groups, 2 redundant images, 2 groups across splits, 1 with conflicting labels",
        "leakage: 1 valid images also occur in train",
        "leakage: 1 test images also occur in train",
    )


def test_near_duplicates_are_reported_by_pairs_of_splits(squares: Any, flawed: Prepared) -> None:
    """Image 7 (valid) is made image 4 (train) with another brightness; of noise nothing else is alike."""
    path = flawed.folder / "images.npy"
    images = np.load(path)
    images[7] = images[4] // 2 + 40
    np.save(path, images)
    result = verify(squares, Prepared.open(flawed.folder), {})
    finding = "1 valid images also occur, nearly equal, in train: 1 pairs, as 4.png in train and 7.png in valid"
    assert [line for line in result.findings if line.startswith("near")] == [
        "near-duplicates: 1 pairs of images, not equal in every pixel, 0 mirrored",
        f"near leakage: {finding}",
    ]
    assert result.to_json()["near_duplicates"] == [
        {"splits": ["train", "valid"], "pairs": 1, "mirrored": 0, "images": 1, "examples": [["4.png", "7.png"]]}
    ]


def test_too_many_similar_images_are_reported(squares: Any, flawed: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "MOST", -1)
    result = verify(squares, flawed, {})
    assert dict(result.rows)["near-duplicates"] == "more than -1 pairs of images look alike"
    assert result.near == ()


def test_the_rows_tell_images_classes_and_shares_in_order(report: Report) -> None:
    rows = dict(report.rows)
    assert rows["images"] == "12 of 48x48 grey, 1 left out by the options"
    assert rows["classes"] == "happy, Happiness"
    assert rows["train"] == "6: happy 4 (66.7%), Happiness 2 (33.3%); majority-class baseline 66.7%"
    assert rows["subjects"] == "5"
    assert rows["near-duplicates"] == "none"


def test_a_sound_dataset_has_only_the_findings_of_its_reader(squares: Any, prepared: Prepared) -> None:
    result = verify(squares, prepared, {})
    assert [line for line in result.findings if not line.startswith("near")] == ["squares are simple"]
    assert result.to_json()["splits"]["train"]["n"] == 40
