"""What each source brings, and what of the answer it gives away."""

import numpy as np
import pytest

from fersearch.data.verify import alone, confounded, count, known_by_source

CLASSES = ("anger", "joy", "calm")
SOURCE = np.array(["web"] * 6 + ["lab"] * 6)
HARD = np.array([0, 0, 1, 0, 1, 0, 1, 1, 1, 1, 0, 1])
PART = np.array([0, 0, 0, 1, 1, -1, 0, 0, 0, 1, 1, 1])


def test_sources_are_counted_in_their_order_without_what_is_left_out() -> None:
    counted = count(SOURCE, HARD, PART, CLASSES)
    assert list(counted) == ["web", "lab"]
    assert counted["web"] == {
        "n": 5,
        "splits": {"train": 3, "valid": 2},
        "per_class": {"anger": 3, "joy": 2, "calm": 0},
        "baseline": 0.6,
    }


def test_a_source_that_is_left_out_whole_has_no_baseline_and_is_reported() -> None:
    counted = count(SOURCE, HARD, np.where(SOURCE == "lab", -1, PART), CLASSES)
    assert counted["lab"]["baseline"] == 0.0
    assert "source lab brings no image of any class" in alone(counted, CLASSES)


def test_classes_of_one_source_and_of_none_are_reported() -> None:
    counted = count(SOURCE, np.where(SOURCE == "web", 0, 1), PART, CLASSES)
    assert alone(counted, CLASSES) == [
        "class anger comes from web alone: a model can learn the camera instead of the face",
        "class joy comes from lab alone: a model can learn the camera instead of the face",
        "no source has an image of calm",
    ]


def test_one_source_alone_is_no_confound() -> None:
    counted = count(np.full(12, "web"), HARD, PART, CLASSES)
    assert alone(counted, CLASSES) == ["no source has an image of calm"]


def test_knowing_the_source_answers_with_its_most_common_train_class() -> None:
    by_source, by_nothing = known_by_source(SOURCE, HARD, PART, 1)
    assert by_source == pytest.approx(3 / 5)
    assert by_nothing == pytest.approx(3 / 5)
    assert confounded(SOURCE, HARD, PART) == (
        "knowing only the source, 60.0% of valid are classified correctly (majority-class baseline 60.0%)",
        False,
    )


def test_a_source_that_gives_the_class_away_deserves_a_look() -> None:
    assert confounded(SOURCE, np.where(SOURCE == "web", 0, 1), PART) == (
        "knowing only the source, 100.0% of valid are classified correctly (majority-class baseline 40.0%)",
        True,
    )
