"""A network gets its images in its memory format everywhere, and computes the same in both."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fersearch_architectures.cnn import Cnn
from torch import Tensor, nn

from fersearch.artifacts import Artifacts
from fersearch.components import Task
from fersearch.data.arrays import Loaded
from fersearch.registry import Registry
from fersearch.space import Params
from fersearch.training.attempt import run_trial
from fersearch.training.augment import Augmentation, strengths
from fersearch.training.batches import Batches, Pixels
from fersearch.training.checkpoint import Restored
from fersearch.training.feature_cache import Features, find_prefix
from fersearch.training.losses import Targets
from fersearch.training.memory_format import arrange, arranged, format_of
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Reason

CPU = torch.device("cpu")
LAST = "channels_last"
RequestOf = Callable[..., TrialRequest]
ODD: dict[str, Any] = {"augmentation": "strong", "crop": 12}


def is_last(images: Tensor) -> bool:
    """Whether the channels of a pixel lie beside each other, also where there is only one."""
    return images.stride() == (images[0].numel(), 1, images.shape[3] * images.shape[1], images.shape[1])


def test_grey_images_are_arranged_without_a_copy_and_others_keep_their_values() -> None:
    grey, colour, flat = torch.rand(3, 1, 4, 5), torch.rand(3, 2, 4, 5), torch.rand(3, 7)
    assert arranged(grey, LAST).data_ptr() == grey.data_ptr()
    for images in (grey, colour):
        assert is_last(arranged(images, LAST))
        assert torch.equal(arranged(images, LAST), images)
        assert arranged(images, "contiguous") is images
    assert arranged(flat, LAST) is flat
    assert [format_of(arranged(colour, kind)) for kind in (LAST, "contiguous")] == [LAST, "contiguous"]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("params", [{}, {"augmentation": "flip"}, {"augmentation": "standard"}, ODD])
def test_batches_come_in_the_format_and_hold_the_same(
    patterns: Callable[..., Loaded], channels: int, params: Params
) -> None:
    loaded = patterns(48, channels=channels)
    epochs = []
    for kind in ("contiguous", LAST):
        pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, CPU, kind)  # type: ignore[arg-type]
        targets = Targets.of("majority", loaded.hard, None, 4)
        change = Augmentation(strengths(params), 4, int(params.get("crop", 0)))
        epochs.append([images for images, _ in Batches(pixels, targets, np.arange(32), 8, change).epoch(3)])
    for contiguous, last in zip(*epochs, strict=True):
        assert contiguous.is_contiguous()
        assert is_last(last)
        assert torch.equal(contiguous, last)


class Watched(Cnn):
    """Notes the strides of all that its network is given, as pairs of the mode and whether channels are last."""

    name = "watched"

    def __init__(self) -> None:
        self.seen: set[tuple[bool, bool]] = set()

    def build(self, params: Params, task: Task) -> nn.Module:
        model = super().build(params, task)
        model.register_forward_pre_hook(lambda module, inputs: self.seen.add((module.training, is_last(inputs[0]))))
        return model


def go_on(epoch: Epoch) -> Decision:
    return Decision.CONTINUE


def trained(request: TrialRequest, registry: Registry, stop_at: int = 0) -> tuple[Any, list[Epoch]]:
    """The outcome of a trial, interrupted after an epoch if one is named, and its epochs."""
    epochs: list[Epoch] = []

    def report(epoch: Epoch) -> Decision:
        epochs.append(epoch)
        return Decision.INTERRUPT if epoch.number == stop_at else Decision.CONTINUE

    return run_trial(request, report, registry), epochs


def losses(epochs: list[Epoch]) -> list[tuple[float, float]]:
    return [(epoch.values["train_loss"], epoch.values["valid_loss"]) for epoch in epochs]


def test_a_trial_trains_validates_and_predicts_in_its_format_and_says_so(
    request_of: RequestOf, registry: Registry
) -> None:
    watched = Watched()
    registry = Registry({"watched": watched}, registry.datasets, registry.metrics)
    request = request_of({"epochs": 2}, architecture="watched", memory_format=LAST)
    outcome, epochs = trained(request, registry)
    assert outcome.facts["memory_format"] == LAST
    assert watched.seen == {(True, True), (False, True)}
    restored = Restored.open(Artifacts(Path(request.artifacts)).open(outcome.checkpoint or ""), registry, "cpu")
    assert restored.card["memory_format"] == LAST
    weights = [weight for weight in restored.model.parameters() if weight.dim() == 4]
    assert all(is_last(weight) for weight in weights)
    shares = restored.probabilities(np.zeros((3, 1, 16, 16), np.uint8))
    assert watched.seen == {(True, True), (False, True)}
    assert np.allclose(shares, restored.probabilities(np.zeros((1, 1, 16, 16), np.uint8)))
    assert len(epochs) == 2


def test_both_formats_learn_the_same_up_to_rounding_and_each_repeats_itself_exactly(
    request_of: RequestOf, registry: Registry, tmp_path: Path
) -> None:
    changed = {"epochs": 2, "width": 2, "augmentation": "standard"}
    runs = {
        place: losses(trained(request_of(changed, memory_format=kind, scratch=str(tmp_path / place)), registry)[1])
        for place, kind in (("a", "contiguous"), ("b", LAST), ("c", LAST))
    }
    assert runs["b"] == runs["c"]
    assert np.allclose(runs["a"], runs["b"], rtol=1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_an_interrupted_trial_goes_on_in_its_format_as_if_it_had_not_stopped(
    request_of: RequestOf, registry: Registry, tmp_path: Path, optimizer: str
) -> None:
    changed = {"epochs": 3, "width": 2, "optimizer": optimizer, "learning_rate": 0.01}
    whole = losses(trained(request_of(changed, memory_format=LAST, scratch=str(tmp_path / "w")), registry)[1])
    request = request_of(changed, memory_format=LAST)
    first, begun = trained(request, registry, stop_at=1)
    assert first.reason is Reason.INTERRUPTED
    second = request_of(changed, memory_format=LAST, attempt=2, recorded=1, recorded_by_attempt=(1,))
    _, rest = trained(second, registry)
    assert losses(begun + rest) == whole


def test_the_features_of_a_frozen_prefix_keep_its_format() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Sequential(nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(576, 3)))
    model[0].requires_grad_(False)
    images = np.random.default_rng(0).integers(0, 256, (10, 1, 16, 16), dtype=np.uint8)
    source = Pixels.of(images, [0.5], [0.2], CPU, LAST)
    prefix = find_prefix(arrange(model, LAST), source, np.arange(10), [], "float32")
    assert prefix is not None
    features = Features(prefix, source, np.arange(10))
    taken = features.take(features.rows([7, 3]))
    assert is_last(taken)
    assert features.facts()["values"] == 4 * 14 * 14
    assert torch.equal(taken, prefix.features(source.take(source.rows([7, 3]))))


class Strided(Cnn):
    """Flattens by the order in memory, which only contiguous images have."""

    name = "strided"

    def build(self, params: Params, task: Task) -> nn.Module:
        class Flat(nn.Module):
            def forward(self, images: Tensor) -> Tensor:
                return images.view(len(images), -1)

        return nn.Sequential(nn.Conv2d(1, 4, 3), Flat(), nn.Linear(4 * 14 * 14, len(task.class_names)))


def test_a_network_that_fails_in_the_requested_format_reports_the_format(
    request_of: RequestOf, registry: Registry
) -> None:
    registry = Registry({"strided": Strided()}, registry.datasets, registry.metrics)
    request = request_of({"epochs": 1}, architecture="strided")
    assert run_trial(request, go_on, registry).reason is Reason.DONE
    failed = run_trial(request_of({"epochs": 1}, architecture="strided", memory_format=LAST), go_on, registry)
    assert failed.reason is Reason.ERROR
    assert "architecture 'strided' fails on images (2, 1, 16, 16) in the memory format channels_last" in failed.message
    assert "train it with --memory-format contiguous" in failed.message
