"""Classes of a model and of a dataset are matched by name, and never by position."""

import numpy as np
import pytest

from fersearch.errors import UsageError
from fersearch.evaluation.class_mapping import cross

MODEL = ("neutral", "happiness", "surprise", "contempt")


def test_the_same_classes_in_another_order_are_matched_by_name() -> None:
    result = cross(MODEL, ("contempt", "neutral", "surprise", "happiness"))
    assert result.whole
    assert result.labels(np.array([0, 1, 2, 3])).tolist() == [3, 0, 2, 1]
    assert result.class_names == MODEL


def test_synonyms_of_one_emotion_are_one_class() -> None:
    result = cross(MODEL, ("Surprised", "joy", "NE", "fear"))
    assert result.pairs == {"Surprised": "surprise", "joy": "happiness", "NE": "neutral"}
    assert result.left_out == ("fear",)
    assert result.spare == ("contempt",)
    assert result.class_names == ("neutral", "happiness", "surprise")
    assert result.labels(np.array([3, 0, 2])).tolist() == [-1, 2, 0]
    assert not result.whole


def test_names_that_are_no_emotions_are_compared_plainly() -> None:
    assert cross(("Class A", "class-b"), ("class_a", "ClassB")).pairs == {"class_a": "Class A", "ClassB": "class-b"}


def test_the_map_precedes_synonyms_and_an_empty_text_drops_a_class() -> None:
    result = cross(MODEL, ("disgust", "happy", "neutral", "surprise"), {"disgust": "contempt", "Neutrality": ""})
    assert result.pairs == {"disgust": "contempt", "happy": "happiness", "surprise": "surprise"}
    assert result.left_out == ("neutral",)
    assert result.spare == ("neutral",)
    merged = cross(MODEL, ("disgust", "contempt", "happy"), {"disgust": "contempt"})
    assert merged.labels(np.array([0, 1, 2])).tolist() == [3, 3, 1]
    assert merged.class_names == ("happiness", "contempt")


def test_restricted_shares_leave_the_other_outputs_out_and_sum_to_one() -> None:
    result = cross(MODEL, ("happy", "contempt"))
    shares = np.array([[0.7, 0.2, 0.0, 0.1], [1.0, 0.0, 0.0, 0.0]], np.float32)
    assert result.restricted(shares) == pytest.approx(np.array([[2 / 3, 1 / 3], [0.5, 0.5]]))
    assert result.positions(np.array([1, 3, 1])).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("dataset", "mapping", "message"),
    [
        (("anger", "joy"), {}, "share only one class, happiness, and two are needed\n  dataset: anger, joy\n"),
        (("anger", "fear"), {}, "share no class and two are needed"),
        (("joy", "neutral"), {"sad": "neutral"}, "the dataset has no class 'sad'\n  classes of the dataset: joy"),
        (("joy", "neutral"), {"joy": "hapiness"}, "the checkpoint has no class 'hapiness'\n  did you mean 'happiness'"),
    ],
)
def test_what_cannot_be_matched_is_reported(dataset: tuple[str, ...], mapping: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        cross(MODEL, dataset, mapping)
    assert message in str(error.value)


def test_too_few_classes_are_refused_with_both_lists() -> None:
    with pytest.raises(UsageError) as error:
        cross(MODEL, ("anger", "joy"))
    assert error.value.hint.startswith(
        "dataset: anger, joy\n  checkpoint: neutral, happiness, surprise, contempt\n  say which"
    )


def test_a_class_that_fits_two_outputs_must_be_distinguished() -> None:
    with pytest.raises(UsageError, match="class 'joy' of the dataset fits happy and smile"):
        cross(("happy", "smile", "sad"), ("joy", "sad"))
    assert cross(("happy", "smile", "sad"), ("joy", "sad"), {"joy": "smile"}).pairs == {"joy": "smile", "sad": "sad"}
