"""Batches in parts: the same gradients, and a trial that lacked memory goes on with what fits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn

from fersearch.artifacts import Artifacts
from fersearch.components import trained_task
from fersearch.data.arrays import Loaded
from fersearch.registry import Registry
from fersearch.study import Objective
from fersearch.training.attempt import run_trial
from fersearch.training.batches import Pixels
from fersearch.training.memory import fit_into_memory
from fersearch.training.request import TrialRequest
from fersearch.training.trainer import Trainer
from fersearch.trial import Decision, Epoch, Reason

Make = Callable[..., Loaded]
RequestOf = Callable[..., TrialRequest]


def trainer_of(loaded: Loaded, params: dict[str, Any]) -> Trainer:
    torch.manual_seed(0)
    model = Cnn().build(params, trained_task(loaded.task, params))
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, torch.device("cpu"))
    trainer = Trainer.of(model, loaded, params, pixels, Objective("f1_macro", "max"), "float32")
    trainer.train_mode(())
    return trainer


LOSSES: list[dict[str, Any]] = [
    {},
    {"class_weights": "inverse"},
    {"class_weights": "inverse", "label_smoothing": 0.2},
    {"class_weights": "inverse", "loss": "focal", "focal_gamma": 2.0},
    {"class_weights": "inverse", "target": "multi_target"},
    {"class_weights": "effective", "augmentation": "strong"},
    {"loss_scale": 10.0, "clip_norm": 0.1, "optimizer": "adamw", "learning_rate": 0.001},
]


@pytest.mark.parametrize("changed", LOSSES, ids=lambda changed: "-".join(map(str, changed.values())) or "plain")
@pytest.mark.parametrize("parts", [2, 3, 8])
def test_parts_add_up_to_the_whole_batch(
    patterns: Make, base: dict[str, Any], changed: dict[str, Any], parts: int
) -> None:
    params = {**base, "batch_norm": False, "batch_size": 24, **changed}
    loaded = patterns(48, target=str(params["target"]))
    loaded.hard[:9] = 0  # classes of unequal size, so that the weights matter
    whole, cut = trainer_of(loaded, params), trainer_of(loaded, params)
    cut.micro_batches = parts
    images, targets = next(iter(whole.batches.epoch(1)))
    assert torch.allclose(whole.train_step(images, targets), cut.train_step(images, targets), rtol=1e-5)
    for ours, theirs in zip(whole.model.parameters(), cut.model.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_every_part_has_two_images(patterns: Make, base: dict[str, Any]) -> None:
    trainer = trainer_of(patterns(48), {**base, "batch_size": 9})
    trainer.micro_batches = 4
    seen: list[int] = []
    trainer.model.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    for images, targets in trainer.batches.epoch(1):
        trainer.train_step(images, targets)
    assert sum(seen) == trainer.batches.count
    assert min(seen) >= 2


class Narrow(torch.nn.Module):
    """Has room for so many images when it learns."""

    def __init__(self, inner: torch.nn.Module, room: int, error: Exception) -> None:
        super().__init__()
        self.inner, self.room, self.error = inner, room, error

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training and len(images) > self.room:
            raise self.error
        logits: torch.Tensor = self.inner(images)
        return logits


class NarrowCnn(Cnn):
    """A network with little room."""

    def __init__(self, room: int, error: Exception) -> None:
        self.room, self.error = room, error

    def build(self, params: Any, task: Any) -> Any:
        return Narrow(super().build(params, task), self.room, self.error)

    def stages(self, model: Any) -> Any:
        return super().stages(model.inner)


def go_on(_: Epoch) -> Decision:
    return Decision.CONTINUE


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried 2.00 GiB.")])
def test_a_lack_of_memory_is_met_by_as_many_parts_as_it_takes(
    request_of: RequestOf, registry: Registry, error: Exception
) -> None:
    registry.architectures["cnn"] = NarrowCnn(4, error)
    request = request_of({"batch_size": 16})
    first = run_trial(request, go_on, registry)
    assert first.reason is Reason.OOM
    second = run_trial(request_of({"batch_size": 16}, micro_batches=2, attempt=2), go_on, registry)
    assert second.reason is Reason.DONE
    assert second.facts["micro_batches"] == 4
    assert Artifacts(Path(request.artifacts)).open(second.checkpoint or "").exists()


def test_what_does_not_fit_in_the_smallest_parts_either_is_reported_with_its_figures(
    request_of: RequestOf, registry: Registry
) -> None:
    registry.architectures["cnn"] = NarrowCnn(1, MemoryError())
    outcome = run_trial(request_of({"batch_size": 16}, micro_batches=2), go_on, registry)
    assert outcome.reason is Reason.OOM
    assert outcome.message.startswith("out of memory at batch size 16, even in 8 parts: MemoryError (the peak before ")
    assert outcome.facts["micro_batches"] == 8


def test_another_error_in_the_rehearsal_is_reported_as_it_is(request_of: RequestOf, registry: Registry) -> None:
    registry.architectures["cnn"] = NarrowCnn(1, ValueError("odd"))
    outcome = run_trial(request_of(micro_batches=2), go_on, registry)
    assert (outcome.reason, outcome.message) == (Reason.ERROR, "ValueError: odd")


def test_the_rehearsal_leaves_nothing_behind(patterns: Make, base: dict[str, Any]) -> None:
    params = {**base, "batch_size": 16, "ema": 0.9, "optimizer": "adamw", "learning_rate": 0.01}
    plain, rehearsed = trainer_of(patterns(48), params), trainer_of(patterns(48), params)
    plain.micro_batches = rehearsed.micro_batches = 2
    for trainer in (plain, rehearsed):
        trainer.train_step(*next(iter(plain.batches.epoch(5))))  # an optimiser that has a state already
    fit_into_memory(rehearsed, 2, (), seed=1)
    for images, targets in plain.batches.epoch(2):
        plain.train_step(images, targets)
        rehearsed.train_step(images, targets)
    assert rehearsed.average is not None
    assert plain.average is not None
    assert rehearsed.average.steps == plain.average.steps
    for ours, theirs in zip(plain.model.state_dict().values(), rehearsed.model.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_whole_batches_are_not_rehearsed(request_of: RequestOf, registry: Registry) -> None:
    assert "micro_batches" not in run_trial(request_of(), go_on, registry).facts
