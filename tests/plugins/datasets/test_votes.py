"""The target modes of FER+, on votes chosen to meet each rule's edge."""

import numpy as np
import pytest
from fersearch_datasets import _votes
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

TEN_VOTES = arrays.arrays(np.uint8, (6, 10), elements=st.integers(0, 5))


def selected(row: list[int], target: str) -> list[float]:
    values: list[float] = _votes.select(np.array([row + [0] * (10 - len(row))], np.uint8), target)[0].tolist()
    return values


def test_single_votes_are_outliers() -> None:
    assert selected([8, 1, 1], "votes") == [8, 0, 0, 0, 0, 0, 0, 0, 0, 0]


def test_majority_needs_more_than_half_of_the_votes_that_count() -> None:
    assert sum(selected([5, 5], "majority")) == 0
    assert selected([5, 4, 1], "majority")[:2] == [5, 0]


def test_a_majority_for_unknown_leaves_the_image_out() -> None:
    assert sum(selected([2, 0, 0, 0, 0, 0, 0, 0, 8], "majority")) == 0


def test_crossentropy_takes_the_largest_until_three_quarters() -> None:
    assert selected([6, 2, 2], "crossentropy")[:3] == [6, 2, 2]
    assert selected([8, 2], "crossentropy")[:2] == [8, 0]


def test_crossentropy_refuses_more_than_three_classes() -> None:
    assert sum(selected([3, 3, 2, 2], "crossentropy")) == 0


def test_crossentropy_stops_before_unknown_once_an_emotion_is_taken() -> None:
    assert selected([6, 0, 0, 0, 0, 0, 0, 0, 4], "crossentropy") == [6, 0, 0, 0, 0, 0, 0, 0, 0, 0]


def test_an_emotion_that_ties_with_unknown_has_too_few_votes() -> None:
    assert sum(selected([5, 0, 0, 0, 0, 0, 0, 0, 5], "crossentropy")) == 0


def test_multi_target_keeps_every_class_with_three_tenths() -> None:
    assert selected([3, 3, 4], "multi_target")[:3] == [3, 3, 4]
    assert selected([6, 2, 2], "multi_target")[:3] == [6, 0, 0]


def test_multi_target_needs_more_than_half_together() -> None:
    assert sum(selected([4, 2, 2, 2], "multi_target")) == 0


def test_an_image_without_a_vote_that_counts_is_left_out_of_every_mode() -> None:
    for target in _votes.RULES:
        assert sum(selected([1] * 10, target)) == 0


def test_several_keeps_the_largest_where_nobody_has_three_tenths() -> None:
    assert _votes.several(np.array([[2, 2, 1, 1, 1, 1, 1, 1]])).tolist() == [[1, 1, 0, 0, 0, 0, 0, 0]]


def test_argmax_takes_the_first_of_equals() -> None:
    rows = np.array([[5, 0, 0, 0, 0, 0, 0, 0, 5, 0], [4, 0, 0, 0, 0, 0, 0, 0, 5, 1]])
    assert _votes.drop_unknown(rows).sum(1).tolist() == [5, 0]


@pytest.mark.parametrize("target", sorted(_votes.RULES))
@given(counts=TEN_VOTES)
def test_what_is_selected_is_some_of_the_votes_and_never_unknown(target: str, counts: np.ndarray) -> None:
    weights = _votes.select(counts, target)
    assert weights.shape == counts.shape
    assert ((weights == 0) | (weights == counts)).all()
    assert (weights[:, 8:] == 0).all()


@given(counts=TEN_VOTES)
def test_a_distribution_sums_to_one_or_is_empty(counts: np.ndarray) -> None:
    totals = _votes.distribution(counts).sum(1)
    assert np.allclose(totals, (counts.sum(1) > 0).astype(float))
