"""A search ends once its front stood still, and goes on where the record alone says that it does."""

from typing import Any

import pytest

from fersearch.search.flat import Flat
from fersearch.study import Constraint, Objective
from fersearch.trial import Enqueued, Reason, Trial, TrialState
from tests.search.fakes import Rows, make_search, make_spec, run_trial

F1, SECONDS = Objective("f1_macro", "max"), Objective("train_seconds", "min")


def complete(number: int, f1: float, seconds: float, **options: Any) -> Trial:
    values = {"f1_macro": f1, "train_seconds": seconds}
    return Trial(number, {}, values=values, **{"state": TrialState.COMPLETE, **options})


def followed(*trials: Trial, **options: Any) -> str:
    spec = make_spec(objectives=(F1, SECONDS), **{"stop_when_flat": 3, **options})
    flat = Flat(spec, {"f1_macro": 0.1})
    for trial in trials:
        flat.join(trial)
    return flat.why


GROWN = (complete(0, 0.3, 9.0), complete(1, 0.5, 5.0), complete(2, 0.2, 7.0))
STILL = (complete(3, 0.4, 6.0), complete(4, 0.3, 8.0), complete(5, 0.5, 6.0))


def test_it_stands_still_after_so_many_complete_trials_that_added_nothing():
    assert followed(*GROWN, *STILL) == "the front's hypervolume has not grown for 3 complete trials, trial 3 to 5"
    assert followed(*GROWN, *STILL[:2]) == "the front's hypervolume has not grown for 3 complete trials, trial 2 to 4"
    assert followed(*GROWN, STILL[0]) == ""
    assert followed(*GROWN, *STILL, stop_when_flat=0) == ""


def test_a_trial_that_moves_the_front_keeps_it_going_but_not_by_a_hair():
    assert followed(*GROWN, *STILL[:2], complete(5, 0.6, 6.0)) == ""
    assert followed(*GROWN, *STILL[:2], complete(5, 0.5, 4.9999))


def test_only_complete_trials_within_the_bounds_and_above_the_baseline_count():
    pruned = complete(6, 0.9, 1.0, state=TrialState.PRUNED)
    assert followed(*GROWN, *STILL, pruned)
    assert followed(*GROWN, *STILL[:2], complete(5, 0.9, 6.0), where=(Constraint("f1_macro", "<=", 0.8),))
    assert followed(*(complete(number, 0.05, 9.0 - number) for number in range(8))) == ""


def test_it_depends_on_numbers_and_not_on_who_ended_first():
    trials = (*GROWN, *STILL)
    assert followed(*reversed(trials)) == followed(*trials)


@pytest.mark.parametrize("slots", [1, 3])
def test_a_search_ends_says_why_and_stays_over_after_a_restart(slots: int) -> None:
    notes: list[str] = []
    spec, rows = make_spec(stop_when_flat=5, objectives=(F1,)), Rows()
    search = make_search(spec, rows, note=notes.append)
    running = [search.ask() for _ in range(slots)]
    while running:
        run_trial(search, running.pop(0), Reason.DONE)
        if trial := search.ask():
            running.append(trial)
    assert search.done
    assert 5 < search.ended < 1000
    assert notes == [f"the search ends: {search.end_reason}"]
    again = make_search(spec, rows)
    assert (again.ask(), again.end_reason, again.done) == (None, search.end_reason, True)
    again.enqueue(Enqueued("a", {"optimizer": "adam"}))
    assert not again.done
    assert again.ask().params["optimizer"] == "adam"  # what somebody asks for is tried all the same
    assert again.ask() is None
    assert make_search(make_spec(objectives=(F1,)), rows).ask() is not None
