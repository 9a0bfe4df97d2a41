"""The figures of network shapes: measured once, and used before a process is started."""

from pathlib import Path
from typing import Any

import pytest
from fersearch_metrics.measured import MEASURED

from fersearch import api
from fersearch.components import Metric, Task
from fersearch.engines.figures import Figures
from fersearch.errors import UsageError
from fersearch.space import Choice, Space
from fersearch.study import ARCHITECTURE, Constraint, Objective, StudySpec
from fersearch.trial import Attempt, Reason, Trial
from tests.small_sets import all_rows, create, data, made

__all__ = ["data", "made"]
METRICS: dict[str, Metric] = {metric.name: metric() for metric in MEASURED}
TASK = Task(tuple("abc"))


def figures(*bounds: str, trials: tuple[Trial, ...] = (), space: Space | None = None) -> Figures:
    where = tuple(map(Constraint.parse, bounds))
    spec = StudySpec("s", "cnn", "faces", (Objective("f1_macro", "max"),), space or Space({}), where=where)
    return Figures(spec, TASK, METRICS, trials)


def trial(number: int, known: dict[str, int] | None = None, epochs: int = 0, **params: Any) -> Trial:
    facts = {"figures": known} if known else {}
    return Trial(number, params, epochs=epochs, attempts=(Attempt(1, Reason.DONE, facts=facts),))


def test_trials_of_one_shape_share_what_was_measured_and_others_do_not() -> None:
    known = figures(trials=(trial(0, {"parameters": 9}, width=1, learning_rate=0.1),))
    known.learn(trial(1, {"flops": 7}, width=1, learning_rate=0.2, batch_size=64))
    assert known.of(trial(2, width=1, dropout=0.3, freeze="none")) == {"parameters": 9, "flops": 7}
    for other in ({"width": 2}, {"width": 1, "crop": 40}, {"width": 1, "tta": "flip"}):
        assert known.of(trial(3, **other)) == {}


def test_equal_parameters_of_two_architectures_are_two_shapes() -> None:
    space = Space({ARCHITECTURE: Choice("cnn", "resnet18")})
    known = figures(trials=(trial(0, {"parameters": 9}, **{ARCHITECTURE: "cnn"}),), space=space)
    assert known.of(trial(1, **{ARCHITECTURE: "cnn"})) == {"parameters": 9}
    assert known.of(trial(1, **{ARCHITECTURE: "resnet18"})) == {}


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"parameters": 11}, "parameters 11.0 breaks parameters<=10"),
        ({"parameters": 10, "flops": 2_000_000_000}, "gflops 2.00 breaks gflops<=1"),
        ({"parameters": 10, "flops": 1_000_000_000}, None),
        ({"flops": 2_000_000_000}, None),  # of what is cheaper to know nothing is known: its process measures that
        ({}, None),
    ],
)
def test_a_trial_is_refused_by_what_is_known_of_its_shape(known: dict[str, int], message: str | None) -> None:
    outcome = figures("gflops<=1", "parameters<=10", "latency_ms<=1", trials=(trial(0, known),)).refusal(trial(1))
    assert (outcome and outcome.message) == message
    if outcome:
        assert outcome.reason is Reason.INFEASIBLE
        assert set(outcome.facts["measured"]) <= {"parameters", "gflops"}


def test_a_trial_that_has_trained_is_not_refused() -> None:
    known = figures("parameters<=10", trials=(trial(0, {"parameters": 11}),))
    assert known.refusal(trial(1)) is not None
    assert known.refusal(trial(1, epochs=2)) is None


def test_only_the_first_trial_of_a_shape_starts_a_process_and_a_study_without_a_feasible_one_says_so(
    data: Path, warm_fork_server: None
) -> None:
    create("tight", data, where=("parameters<=10",), settings={"optimizer": "sgd", "activation": "relu"})
    shown = api.run_study("tight", slots=1)
    _, trials = all_rows("tight")
    assert {each.state for each in trials} == {"infeasible"}
    assert [each.number for each in trials if each.attempts[-1].pid] == [0]
    assert {each.values["parameters"] for each in trials} == {trials[0].values["parameters"]}
    assert len(trials) == 10  # ten times the budget
    assert "10 trials broke a bound before training; trial 0 came nearest: parameters " in shown.ending
    assert api.front("tight").trials == []
    with pytest.raises(UsageError, match="no trial"):
        api.pull_checkpoint("tight")
    with pytest.raises(UsageError, match="no complete trial"):
        api.finish_study("tight")
