"""Trials under folds or repeats are compared by the means of their rounds."""

import math
from dataclasses import replace

import pytest

from fersearch.search import Search
from fersearch.study import Protocol
from fersearch.trial import Decision, Epoch, Outcome, Reason, TrialState
from tests.search.fakes import METRICS, OBJECTIVES, Rows, Study, make_search, make_spec
from tests.search.test_brain import values


def in_rounds(search: Search, number: int, scores: list[float]) -> list[Decision]:
    """Record rounds of two epochs each, the second the better one, until the trial is stopped."""
    decisions = []
    for place, score in enumerate(scores):
        for step in (1, 2):
            latest = values(score * step / 2, 10.0 * step)
            epoch = Epoch(2 * place + step, latest, 10.0, round=place + 1, last=step == 2)
            decisions.append(search.record(number, epoch))
    return decisions


def rounds_search(rows: Rows, rounds: int = 4) -> Search:
    spec = replace(make_spec(pruner="pareto"), objectives=OBJECTIVES[:1], protocol=Protocol("kfold", folds=rounds))
    return Search(Study(spec), rows.read_trials(), rows.read_history(), rows, METRICS, {}, rounds)


def test_a_trial_under_folds_is_known_by_the_mean_of_its_rounds() -> None:
    search = rounds_search(Rows(), rounds=2)
    search.ask()
    assert in_rounds(search, 0, [0.4, 0.6]) == [Decision.CONTINUE] * 4
    trial = search.finish(0, Outcome(Reason.DONE, kept_epoch=4), 1.0)
    assert trial.state is TrialState.COMPLETE
    assert trial.values["f1_macro"] == pytest.approx(0.5)
    assert trial.values["f1_macro_std"] == pytest.approx(math.sqrt(0.02))
    assert (trial.kept_epoch, trial.epochs) == (4, 4)


def test_a_weak_trial_is_stopped_between_rounds_and_never_inside_one() -> None:
    rows = Rows()
    search = rounds_search(rows)
    for number in range(4):
        search.ask()
        in_rounds(search, number, [0.8])
    weak = search.ask()
    assert in_rounds(search, weak.number, [0.2]) == [Decision.CONTINUE, Decision.STOP]
    assert "stopped at round 1: rank 5 of 5" in search.trials[weak.number].verdict["reason"]
    search.finish(weak.number, Outcome(Reason.PRUNED, kept_epoch=2), 1.0)
    again = rounds_search(rows)
    worse = again.ask()
    assert in_rounds(again, worse.number, [0.1])[-1] is Decision.STOP


def test_the_last_round_is_never_stopped() -> None:
    search = make_search(make_spec(pruner="pareto", objectives=OBJECTIVES[:1]))
    for number in range(4):
        search.ask()
        search.record(number, Epoch(1, values(0.8), 1.0))
    search.ask()
    assert search.record(4, Epoch(1, values(0.1), 1.0, last=True)) is Decision.CONTINUE
