"""A study's front: its bounds, and which member is taken."""

from datetime import UTC, datetime

import pytest

from fersearch.errors import UnknownName, UsageError
from fersearch.evaluation.pulling import preferred
from fersearch.space import Space
from fersearch.store import StudyRow
from fersearch.study import Constraint, Objective, StudySpec
from fersearch.study_front import Front, front_of
from fersearch.trial import Trial, TrialState

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"))
STUDY = StudyRow(1, "s", StudySpec("s", "cnn", "faces", OBJECTIVES, Space({})), datetime.now(UTC), (), {}, 0.0)


def trial(number: int, f1: float, seconds: float, checkpoint: str | None = "ab", **more: float) -> Trial:
    values = {"f1_macro": f1, "train_seconds": seconds, **more}
    return Trial(number, {}, TrialState.COMPLETE, values, checkpoint=checkpoint)


MEMBERS = [trial(4, 0.6, 30.0, f1_macro_se=0.05), trial(2, 0.58, 10.0), trial(1, 0.4, 1.0)]


def front(*members: Trial) -> Front:
    return Front("s", members, OBJECTIVES, {})


def test_a_bound_by_the_best_is_one_of_the_front_and_is_reported_as_a_number():
    result = front_of(STUDY, MEMBERS, ["f1_macro>=0.9*best"])
    assert [one.number for one in result.trials] == [4, 2]
    assert result.constraints == (Constraint("f1_macro", ">=", pytest.approx(0.54)),)
    within = front_of(STUDY, MEMBERS, ["train_seconds<=10", "f1_macro>=0.9*best"])
    assert [one.number for one in within.trials] == [2]
    assert within.constraints[1].bound == pytest.approx(0.9 * 0.58)
    with pytest.raises(UnknownName, match="unknown metric 'f1'"):
        front_of(STUDY, MEMBERS, ["f1>=0.9*best"])


def test_the_cheapest_within_one_standard_error_is_the_default():
    choice = preferred(front(*MEMBERS), None)
    assert (choice.trial.number, choice.given_up) == (
        2,
        "best is trial 4: +0.020 f1_macro, 3.0x time; --prefer best",
    )
    assert preferred(front(*MEMBERS), "best").trial.number == 4
    assert preferred(front(*MEMBERS), "cheapest").trial.number == 2
    assert preferred(front(*MEMBERS), "train_seconds").trial.number == 1


def test_where_a_policy_has_released_it_the_cheapest_retained_one_is_taken():
    best, cheap, _ = MEMBERS
    released = trial(cheap.number, 0.58, 10.0, checkpoint=None)
    choice = preferred(front(best, released), None)
    assert (choice.trial.number, choice.given_up) == (4, "")
    assert preferred(front(best, released), "cheapest").trial.number == 2


def test_an_unknown_preference_is_answered_with_the_known_ones_without_spreads():
    with pytest.raises(UnknownName, match="unknown preference 'cheap'") as error:
        preferred(front(*MEMBERS), "cheap")
    assert "cheapest" in error.value.hint
    assert "f1_macro_se" not in error.value.hint


def test_nothing_is_preferred_on_an_empty_front():
    with pytest.raises(UsageError, match="no trial of study 's' is on the front"):
        preferred(front(), None)
    assert front().pulled is None
    assert front().picks == {}
