"""Why a trial stopped: rebuilt from what was stored, it is what the pruner decided."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from fersearch.search.explanation import Explanation
from fersearch.search.past_comparison import Recorded, explain
from fersearch.study import Constraint, Protocol, StudySpec
from fersearch.trial import Attempt, Decision, Epoch, Outcome, Reason, Trial, TrialState
from tests.search.fakes import METRICS, Rows, epoch_of, make_search, make_spec

NO_RUNG = "not compared with other trials: it reached no rung (epochs at which trials are compared)"


def at(seconds: int) -> tuple[datetime, datetime]:
    """A moment as that of an epoch that was recorded once."""
    moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return moment, moment


@dataclass
class Timed(Rows):
    """Rows that note when each epoch came."""

    moments: dict[tuple[int, int], tuple[datetime, datetime]] = field(default_factory=dict)

    def record(self, number: int, attempt: int, epoch: Epoch) -> None:
        super().record(number, attempt, epoch)
        self.moments[number, epoch.number] = at(len(self.moments))

    def explained(self, spec: StudySpec, number: int) -> Explanation:
        recorded = Recorded(self.read_history(), self.moments)
        return explain(spec, METRICS, self.trials[number], self.read_trials(), recorded)


def run_side_by_side(spec: StudySpec, trials: int, slots: int = 3) -> Timed:
    """Run trials, so many at once, an epoch of each in turn, to their end or the pruner's."""
    rows = Timed()
    search = make_search(spec, rows)
    running: dict[int, tuple[Trial, int]] = {}
    for _ in range(trials * 8):
        while len(running) < slots and len(search.trials) < trials:
            trial = search.ask()
            assert trial is not None
            running[trial.number] = (trial, 0)
        for number, (trial, done) in list(running.items()):
            stop = search.record(number, epoch_of(trial, done + 1)) is Decision.STOP
            running[number] = (trial, done + 1)
            if stop or done + 1 == 8:
                reason = Reason.PRUNED if stop else Reason.DONE
                search.finish(number, Outcome(reason, kept_epoch=None if stop else 8), 1.0)
                del running[number]
    return rows


@pytest.fixture(scope="module", params=[1, 2], ids=["first rules", "second rules"])
def spec(request: pytest.FixtureRequest) -> StudySpec:
    return make_spec(pruner="pareto", trials=30, rules=request.param)


@pytest.fixture(scope="module")
def rows(spec: StudySpec) -> Timed:
    return run_side_by_side(spec, trials=30)


def test_every_verdict_is_rebuilt_from_epochs_and_their_order(rows: Timed, spec: StudySpec) -> None:
    states = {rows.trials[number].state for number in rows.trials}
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}
    for number, trial in rows.trials.items():
        result = rows.explained(spec, number)
        assert result.rebuilt
        assert (result.rank, result.peers, result.stopped) == tuple(
            trial.verdict[key] for key in ("rank", "peers", "stop")
        )
        assert result.rank is None or len(result.ahead) == result.rank - 1


def test_dominating_peers_are_no_worse_in_anything_and_better_in_something(rows: Timed, spec: StudySpec) -> None:
    dominated = [result for n in rows.trials if (result := rows.explained(spec, n)).better]
    assert dominated
    for result in dominated:
        for peer in result.ahead:
            gains = list(peer.better_by.values())
            assert peer.dominates == (min(gains) >= 0 and max(gains) > 0)
            assert peer.front < result.own.front if peer.dominates else peer.front <= result.own.front  # type: ignore[union-attr]


def test_costs_are_compared_as_they_will_be_at_the_end(rows: Timed, spec: StudySpec) -> None:
    result = next(result for n in rows.trials if (result := rows.explained(spec, n)).stopped)
    assert result.own is not None
    stored = rows.read_history()[result.number][-1].values["train_seconds"]
    assert result.projected == ("train_seconds",)
    assert result.own.values["train_seconds"] == pytest.approx(stored * 8 / result.rung)  # type: ignore[operator]


def voted(*values: tuple[float, float]) -> tuple[list[Trial], Recorded]:
    """Trials that came to epoch 1 with an F1 and seconds, in that order; the last was stopped there."""
    verdict = {"stop": True, "rung": 1, "rank": len(values), "peers": len(values), "kept": 2, "reason": "stopped"}
    trials = [Trial(n, {"epochs": 8}, TrialState.COMPLETE, epochs=8) for n in range(len(values))]
    ended = (Attempt(1, Reason.PRUNED),)
    trials[-1] = replace(trials[-1], state=TrialState.PRUNED, epochs=1, verdict=verdict, attempts=ended)
    epochs = {
        n: [Epoch(1, {"f1_macro": f1, "train_seconds": seconds, "peak_memory_mb": 1.0}, seconds)]
        for n, (f1, seconds) in enumerate(values)
    }
    return trials, Recorded(epochs, {(n, 1): at(n) for n in range(len(values))})


def explanation(trials: Sequence[Trial], recorded: Recorded, spec: StudySpec) -> list[str]:
    return list(explain(spec, METRICS, trials[-1], trials, recorded).sentences)


def test_the_sentences_say_who_was_better_and_by_what(spec: StudySpec) -> None:
    assert explanation(*voted((0.5, 1.0), (0.1, 0.25), (0.375, 1.0), (0.25, 1.5)), spec) == [
        "pruned after 1 of 8 epochs",
        "stopped",
        "its values there: f1_macro 0.250, train_seconds 12.0 (projected to 8 epochs), peak_memory_mb 1.00; "
        "on front 3 of the 4 trials that had reached it",
        "2 trials dominated it: trial 0 (f1_macro better by 0.250, train_seconds better by 4.00); "
        "trial 2 (f1_macro better by 0.125, train_seconds better by 4.00)",
        "1 trial ranked ahead of it without dominating it: on a better front, or earlier on the same one",
    ]


def test_later_trials_are_no_peers_and_a_verdict_that_is_not_rebuilt_is_reported(spec: StudySpec) -> None:
    trials, recorded = voted((0.5, 1.0), (0.1, 0.25), (0.375, 1.0), (0.25, 1.5))
    late = Recorded(recorded.epochs, {**recorded.moments, (0, 1): at(99)})
    result = explain(spec, METRICS, trials[-1], trials, late)
    assert not result.rebuilt
    assert 0 not in {peer.number for peer in result.ahead}
    assert result.sentences[-1].startswith("this rank cannot be rebuilt from the stored epochs")


def test_an_undefined_objective_is_reported_and_nothing_is_subtracted(spec: StudySpec) -> None:
    trials, recorded = voted((math.nan, 1.0), (0.5, 1.0), (0.25, 4.0), (math.nan, 1.5))
    result = explain(spec, METRICS, trials[-1], trials, recorded)
    assert result.sentences[2:4] == (
        "its values there: f1_macro undefined, train_seconds 12.0 (projected to 8 epochs), peak_memory_mb 1.00; "
        "on front 3 of the 4 trials that had reached it",
        "2 trials dominated it: trial 1 (f1_macro undefined for this trial, train_seconds better by 4.00); "
        "trial 0 (train_seconds better by 4.00)",
    )


def test_objectives_that_are_equal_leave_all_on_one_front(spec: StudySpec) -> None:
    trials, recorded = voted(*4 * [(0.5, 1.0)])
    result = explain(spec, METRICS, trials[-1], trials, recorded)
    assert "on front 1 of the 4 trials that had reached it" in result.sentences[2]
    assert result.sentences[3] == (
        "no trial dominated it: none was at least as good in every objective and better in one"
    )


def test_a_bound_that_stopped_it_is_named(spec: StudySpec) -> None:
    bounded = replace(spec, where=(Constraint.parse("train_seconds<=10"),))
    trials, recorded = voted((0.5, 1.0), (0.1, 0.25), (0.375, 1.0), (0.25, 1.5))
    result = explain(bounded, METRICS, trials[-1], trials, recorded)
    assert result.bounds == "train_seconds 12.0 breaks train_seconds<=10"
    assert result.sentences[-1] == "it breaks a bound: train_seconds 12.0 breaks train_seconds<=10"


@pytest.mark.parametrize(
    ("trial", "lines"),
    [
        (Trial(0, {"epochs": 8}), ["waiting to be run", NO_RUNG]),
        (
            Trial(
                0,
                {"epochs": 8},
                TrialState.INFEASIBLE,
                {"gflops": 0.3},
                attempts=(Attempt(1, Reason.INFEASIBLE, "gflops 0.300 breaks gflops<=0.1"),),
            ),
            ["infeasible: gflops 0.300 breaks gflops<=0.1", NO_RUNG],
        ),
        (
            Trial(0, {"epochs": 8}, TrialState.FAILED, attempts=(Attempt(1, Reason.OOM, "no room"),)),
            ["failed (oom): no room", NO_RUNG],
        ),
    ],
)
def test_a_trial_that_was_never_compared_tells_its_state(trial: Trial, lines: list[str], spec: StudySpec) -> None:
    bounded = replace(spec, where=(Constraint.parse("gflops<=0.1"),))
    assert list(explain(bounded, METRICS, trial, [trial], Recorded({}, {})).sentences) == lines


def test_without_a_pruner_nothing_was_compared(spec: StudySpec) -> None:
    trial = Trial(0, {"epochs": 8}, TrialState.COMPLETE, epochs=8)
    result = explain(replace(spec, pruner="none"), METRICS, trial, [trial], Recorded({}, {}))
    assert result.sentences == (
        "complete after 8 of 8 epochs",
        "not compared with other trials: the study has no pruner",
    )


def test_under_folds_the_means_of_the_rounds_are_compared() -> None:
    spec = make_spec(pruner="pareto", protocol=Protocol("kfold", folds=5))
    verdict = {"stop": False, "rung": 2, "rank": None, "peers": 2, "kept": 2, "reason": "went on"}
    values = {0: (0.25, 0.5, 0.75, 0.25), 1: (0.0, 0.5, 0.5, 0.0)}
    epochs = {
        n: [
            Epoch(
                k, {**dict.fromkeys(("train_seconds", "peak_memory_mb"), 1.0), "f1_macro": f1}, 1.0, round=r, last=last
            )
            for k, (f1, (r, last)) in enumerate(zip(own, itertools.product((1, 2), (False, True)), strict=True), 1)
        ]
        for n, own in values.items()
    }
    trials = [Trial(n, {"epochs": 2}, TrialState.RUNNING, epochs=4, verdict=verdict) for n in values]
    moments = {(n, k): at(10 * n + k) for n in values for k in range(1, 5)}
    result = explain(spec, METRICS, trials[1], trials, Recorded(epochs, moments))
    assert (result.unit, result.rebuilt, result.projected) == ("round", True, ())
    assert result.own is not None
    assert result.own.values["f1_macro"] == 0.5  # the best epoch of each round, and their mean
    assert [(peer.number, peer.values["f1_macro"]) for peer in result.ahead] == [(0, 0.625)]
