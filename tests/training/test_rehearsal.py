"""A few steps in both formats decide which one a trial gets, and leave no trace in what it learns."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from fersearch_metrics.measured import Parameters
from torch import Tensor, nn

from fersearch.components import Task
from fersearch.data.arrays import Loaded
from fersearch.registry import Registry
from fersearch.space import Params
from fersearch.study import Constraint
from fersearch.training import rehearsal
from fersearch.training.attempt import run_trial
from fersearch.training.memory_format import format_of
from fersearch.training.rehearsal import Rehearsal, shape_of
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Outcome, Reason

CPU = torch.device("cpu")
RequestOf = Callable[..., TrialRequest]
Make = Callable[..., Loaded]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no busy machine end a rehearsal early."""
    monkeypatch.setattr(rehearsal, "LIMIT", 1000.0)


@pytest.fixture
def auto(request_of: RequestOf) -> TrialRequest:
    return request_of({"epochs": 2}, memory_format="auto")


def trained(
    request: TrialRequest, registry: Registry, **options: Any
) -> tuple[Outcome, list[Epoch], list[Mapping[str, Any]]]:
    """The outcome of a trial, its epochs, and the facts of its format."""
    epochs: list[Epoch] = []
    rehearsals: list[Mapping[str, Any]] = []

    def settle(result: Mapping[str, Any]) -> str:
        rehearsals.append(result)
        return str(result["memory_format"])

    def report(epoch: Epoch) -> Decision:
        epochs.append(epoch)
        return Decision.CONTINUE

    return run_trial(request, report, registry, **{"settle": settle, **options}), epochs, rehearsals


def losses(epochs: list[Epoch]) -> list[tuple[float, float]]:
    return [(epoch.values["train_loss"], epoch.values["valid_loss"]) for epoch in epochs]


def clocked(monkeypatch: pytest.MonkeyPatch, seconds: Mapping[str, float]) -> list[int]:
    """Let steps take so many seconds an image in each format; the sizes of the steps."""
    sizes: list[int] = []

    def timed(self: Any, memory_format: str, count: int) -> float:
        sizes.append(count)
        return seconds[memory_format] * count

    monkeypatch.setattr(rehearsal._Comparison, "_timed", timed)
    return sizes


def test_it_measures_both_formats_and_says_how_long_that_took(auto: TrialRequest, registry: Registry) -> None:
    outcome, _, (messages,) = trained(auto, registry)
    assert outcome.reason is Reason.DONE
    assert 0.2 < messages["gain"] < 5
    assert 0 < messages["seconds"] < 10
    assert outcome.facts["memory_format"] == messages["memory_format"]


@pytest.mark.parametrize(
    ("gain", "wanted"), [(1.029, "contiguous"), (1.03, "channels_last"), (0.5, "contiguous"), (None, "contiguous")]
)
def test_channels_last_must_be_three_percent_faster(gain: float | None, wanted: str) -> None:
    assert Rehearsal(gain, 0.1).memory_format == wanted


@pytest.mark.parametrize(("last", "wanted"), [(0.9e-3, "channels_last"), (0.98e-3, "contiguous")])
def test_the_faster_format_is_taken(
    auto: TrialRequest, registry: Registry, monkeypatch: pytest.MonkeyPatch, last: float, wanted: str
) -> None:
    clocked(monkeypatch, {"contiguous": 1e-3, "channels_last": last})
    outcome, _, (messages,) = trained(auto, registry)
    assert outcome.facts["memory_format"] == wanted
    assert messages["gain"] == pytest.approx(1e-3 / last, abs=1e-3)


def test_a_slow_network_is_rehearsed_on_fewer_images_and_a_very_slow_one_not_at_all(
    auto: TrialRequest, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = clocked(monkeypatch, {"contiguous": 35.0, "channels_last": 5.0})
    assert trained(auto, registry)[2][0]["gain"] == pytest.approx(7.0)
    assert sizes[-1] == 4
    clocked(monkeypatch, {"contiguous": 200.0, "channels_last": 10.0})
    outcome, _, (messages,) = trained(auto, registry)
    assert (messages["gain"], outcome.facts["memory_format"]) == (None, "contiguous")


@pytest.mark.parametrize("wanted", ["contiguous", "channels_last"])
def test_a_trial_learns_the_same_with_a_rehearsal_as_in_that_format_without_one(
    request_of: RequestOf, registry: Registry, tmp_path: Any, wanted: str
) -> None:
    changed = {"epochs": 2, "dropout": 0.2, "augmentation": "strong", "width": 2}
    fixed = request_of(changed, memory_format=wanted, scratch=str(tmp_path / "fixed"))
    _, epochs, rehearsals = trained(fixed, registry)
    assert rehearsals == []
    _, rehearsed, _ = trained(request_of(changed, memory_format="auto"), registry, settle=lambda _: wanted)
    assert losses(rehearsed) == losses(epochs)


def test_a_format_that_was_decided_before_is_not_rehearsed(
    auto: TrialRequest, registry: Registry, patterns: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "rehearse", None)
    shape = shape_of(auto, Task(("ring", "bar", "cross", "dot"), 1, 16), CPU, "float32")
    outcome, _, rehearsals = trained(replace(auto, formats={shape: "channels_last"}), registry)
    assert outcome.facts["memory_format"] == "channels_last"
    assert rehearsals == [{"shape": shape, "memory_format": "channels_last"}]


def test_trials_share_a_rehearsal_where_what_decides_their_speed_is_the_same(request_of: RequestOf) -> None:
    task, plain = Task(("a", "b"), 1, 16), request_of()

    def shape(changed: Params, **fields: Any) -> str:
        return shape_of(request_of(changed, **fields), task, CPU, "float32")

    assert shape({"learning_rate": 0.3, "optimizer": "adamw", "dropout": 0.4}, seed=9) == shape({})
    others = [shape({name: value}) for name, value in (("width", 2), ("batch_size", 16), ("crop", 12))]
    others += [shape({"freeze": "first_1"}), shape({}, micro_batches=2), shape({}, architecture="resnet18")]
    others.append(shape_of(plain, Task(("a", "b"), 3, 16), CPU, "float32"))
    others.append(shape_of(plain, task, CPU, "bf16"))
    torch.set_num_threads(2)
    assert len({shape({}), *others}) == len(others) + 1


class Odd(Cnn):
    """A network that does something else with channels last."""

    name = "odd"

    def __init__(self, deed: Callable[[Tensor], Tensor]) -> None:
        self.deed = deed

    def build(self, params: Params, task: Task) -> nn.Module:
        deed = self.deed

        class Step(nn.Module):
            def forward(self, images: Tensor) -> Tensor:
                return deed(images) if format_of(images) == "channels_last" else images

        model = super().build(params, task)
        return nn.Sequential(model[0], Step(), *list(model)[1:])

    def stages(self, model: nn.Module) -> Any:
        return [nn.Sequential(model[0], model[1]), *list(model)[2:]]


def fails(images: Tensor) -> Tensor:
    raise RuntimeError("view size is not compatible\nand more")


@pytest.mark.parametrize(
    ("deed", "trouble"),
    [
        (fails, "it fails: RuntimeError: view size is not compatible"),
        (lambda images: images * float("nan"), "its output is not finite"),
        (lambda images: images * 3, "its outputs differ by up to "),
    ],
)
def test_a_network_that_goes_wrong_in_channels_last_is_trained_contiguous(
    auto: TrialRequest, registry: Registry, deed: Callable[[Tensor], Tensor], trouble: str
) -> None:
    registry = Registry({"odd": Odd(deed)}, registry.datasets, registry.metrics)
    outcome, _, (messages,) = trained(replace(auto, architecture="odd"), registry)
    assert (outcome.reason, outcome.facts["memory_format"]) == (Reason.DONE, "contiguous")
    assert messages["trouble"].startswith(trouble)
    assert messages["gain"] is None


def test_what_goes_wrong_in_both_formats_is_left_to_the_training(auto: TrialRequest, registry: Registry) -> None:
    class Strict(Cnn):
        def build(self, params: Params, task: Task) -> nn.Module:
            model = super().build(params, task)
            model.register_forward_hook(lambda module, *_: fails(torch.zeros(1)) if module.training else None)
            return model

    registry = Registry({"cnn": Strict()}, registry.datasets, registry.metrics)
    outcome, _, rehearsals = trained(auto, registry)
    assert rehearsals == []
    assert outcome.message == "RuntimeError: view size is not compatible"


def test_batches_of_one_image_are_rehearsed(request_of: RequestOf, registry: Registry) -> None:
    request = request_of({"epochs": 1, "batch_size": 1, "batch_norm": False}, memory_format="auto")
    outcome, _, (messages,) = trained(request, registry)
    assert outcome.reason is Reason.DONE
    assert messages["gain"] is not None


def test_a_trial_that_is_to_leave_leaves_its_rehearsal_and_tells_nothing(
    auto: TrialRequest, registry: Registry
) -> None:
    outcome, epochs, rehearsals = trained(auto, registry, pulse=lambda: True)
    assert (outcome.reason, epochs, rehearsals) == (Reason.INTERRUPTED, [], [])
    assert outcome.message == "stopped before it began"


def test_a_model_that_breaks_a_bound_is_not_rehearsed(
    auto: TrialRequest, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal._Comparison, "trouble", None)
    metrics = {**registry.metrics, "parameters": Parameters()}
    registry = Registry(registry.architectures, registry.datasets, metrics)
    outcome, _, rehearsals = trained(replace(auto, where=(Constraint("parameters", "<=", 10),)), registry)
    assert (outcome.reason, rehearsals) == (Reason.INFEASIBLE, [])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_rehearsed_in_bf16_and_trains_the_same_in_the_format_that_was_decided(
    request_of: RequestOf, registry: Registry, tmp_path: Any
) -> None:
    options = {"architecture": "resnet18", "device": "cuda:0", "precision": "bf16"}
    changed = {"epochs": 2, "dropout": 0.2, "augmentation": "standard"}
    request = request_of(changed, memory_format="auto", **options)
    outcome, epochs, (messages,) = trained(request, registry)
    assert (outcome.reason, outcome.message) == (Reason.DONE, "")
    assert 0.05 < messages["gain"] < 20
    assert "trouble" not in messages
    fixed = request_of(changed, memory_format=messages["memory_format"], scratch=str(tmp_path / "fixed"), **options)
    assert losses(trained(fixed, registry)[1]) == losses(epochs)
    for kind in ("contiguous", "channels_last"):
        done, _, _ = trained(replace(fixed, memory_format=kind, scratch=str(tmp_path / kind)), registry)
        assert (done.reason, done.facts["memory_format"]) == (Reason.DONE, kind)
