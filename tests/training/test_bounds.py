"""Bounds that a model breaks before it is trained: what is measured, and how the attempt ends."""

import json
from collections.abc import Callable

import pytest
import torch
from fersearch_metrics.measured import MEASURED
from torch import nn

from fersearch.components import Task
from fersearch.registry import Registry
from fersearch.study import Constraint
from fersearch.training.attempt import run_trial
from fersearch.training.batches import Pixels
from fersearch.training.bounds import BoundsCheck, OutOfBounds
from fersearch.training.latency import SteadyLatency, Stopwatch
from fersearch.training.measure import ModelFigures, flops
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Reason

METRICS = {metric.name: metric() for metric in MEASURED}
TASK = Task(tuple("abcdefg"))


class FakeStopwatch(Stopwatch):
    """Measures a fixed latency roughly, and another one alone; keeps which was taken."""

    def __init__(self, rough: float, alone: float | None) -> None:
        super().__init__(counts=True)
        self.seconds, self.seconds_alone = rough, alone
        self.taken: list[str] = []

    def rough(self, *_: object) -> float:
        self.taken.append("rough")
        return self.seconds

    def alone(self, *_: object) -> SteadyLatency | None:
        self.taken.append("alone")
        seconds = self.seconds_alone
        return None if seconds is None else SteadyLatency(seconds, 20, (seconds, seconds))


def look(
    *bounds: str,
    latency: float = 0.004,
    alone: float | None = None,
    trained: bool = True,
    known: dict[str, int] | None = None,
) -> list[str]:
    """Check a linear model of 16,135 weights; returns how its latency was measured."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(48 * 48, 7))
    images = torch.zeros(4, 48, 48, 1, dtype=torch.uint8)
    pixels = Pixels.of(images.numpy(), (0.5,), (0.5,), torch.device("cpu"))
    stopwatch = FakeStopwatch(latency, alone)
    where = [Constraint.parse(bound) for bound in bounds]
    BoundsCheck(where, METRICS, TASK, stopwatch, ModelFigures(dict(known or {})))(model, pixels, trained)
    return stopwatch.taken


def test_what_no_bound_needs_is_not_measured() -> None:
    assert look("parameters<=20000", "gflops<=0.1", "f1_macro>=0.5", "train_seconds<=9") == []
    assert look("latency_ms<=5") == ["rough"]


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ("parameters<=16134", "parameters 16,135 breaks parameters<=16134"),
        ("gflops<=1e-05", "gflops 3.2e-05 breaks gflops<=1e-05"),
        ("model_mb>=1", "model_mb 0.062 breaks model_mb>=1"),
    ],
)
def test_a_break_names_the_value_and_the_bound(bound: str, message: str) -> None:
    with pytest.raises(OutOfBounds) as broken:
        look("latency_ms<=0.001", bound)
    assert broken.value.message == message
    assert list(broken.value.measured) == [bound.split("<")[0].split(">")[0]]


def test_what_earlier_trials_of_the_shape_measured_is_not_measured_again() -> None:
    with pytest.raises(OutOfBounds, match=r"parameters 7.00 breaks parameters<=6"):
        look("parameters<=6", known={"parameters": 7})


def test_a_latency_is_judged_roughly_by_a_margin_of_two_and_within_it_alone() -> None:
    with pytest.raises(OutOfBounds, match=r"latency_ms 4\.00 breaks latency_ms<=1\.9"):
        look("latency_ms<=1.9", alone=0.001)
    assert look("latency_ms<=2.1", alone=0.002) == ["rough", "alone"]
    with pytest.raises(OutOfBounds, match=r"latency_ms 2\.20 breaks latency_ms<=2\.1"):
        look("latency_ms<=2.1", alone=0.0022)
    assert look("latency_ms>=7", alone=0.0071) == ["rough", "alone"]


def test_a_latency_that_could_not_be_measured_alone_breaks_no_bound_within_the_margin() -> None:
    assert look("latency_ms<=2.1", alone=None) == ["rough", "alone"]


def test_a_model_that_is_only_rehearsed_is_not_measured_alone() -> None:
    assert look("latency_ms<=2.1", alone=0.0022, trained=False) == ["rough"]


def test_operations_of_a_convolution_are_counted_by_hand() -> None:
    model = nn.Conv2d(1, 6, 5)
    assert flops(model, torch.zeros(1, 1, 48, 48)) == 2 * 6 * 25 * 44 * 44


@pytest.fixture
def measuring(registry: Registry) -> Registry:
    return Registry(registry.architectures, registry.datasets, {**registry.metrics, **METRICS})


def test_a_trial_that_breaks_a_bound_is_not_trained(
    request_of: Callable[..., TrialRequest], measuring: Registry
) -> None:
    reported: list[Epoch] = []

    def report(epoch: Epoch) -> Decision:
        reported.append(epoch)
        return Decision.CONTINUE

    request = request_of(where=(Constraint("parameters", "<=", 10),), figures={"flops": 8})
    assert TrialRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
    outcome = run_trial(request, report, measuring)
    assert (outcome.reason, outcome.checkpoint, reported) == (Reason.INFEASIBLE, None, [])
    assert outcome.facts["measured"]["parameters"] > 10
    assert outcome.facts["figures"] == {"flops": 8, "parameters": outcome.facts["measured"]["parameters"]}


def test_a_trial_reports_the_figures_it_measured_and_reuses_known_ones(
    request_of: Callable[..., TrialRequest], measuring: Registry
) -> None:
    reported: list[Epoch] = []

    def report(epoch: Epoch) -> Decision:
        reported.append(epoch)
        return Decision.STOP

    facts = run_trial(request_of(figures={"flops": 8_000_000_000}), report, measuring).facts["figures"]
    assert list(facts) == ["flops", "parameters", "model_bytes"]
    assert reported[0].values["gflops"] == 8
    assert "figures" not in run_trial(request_of(figures=facts), report, measuring).facts
