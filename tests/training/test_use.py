"""A restored checkpoint sees images as its trial saw them, or under another augmentation on request."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fersearch.artifacts import Artifacts
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.errors import UnknownName
from fersearch.registry import Registry
from fersearch.training.attempt import run_trial
from fersearch.training.checkpoint import Restored
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Reason

RequestOf = Callable[..., TrialRequest]
EXTRAS = {"crop": 16, "tta": "ten_crop", "ema": 0.9, "normalisation": "half", "sampling": "balanced", "clip_norm": 5.0}


def finished(request: TrialRequest, registry: Registry) -> tuple[Restored, list[Epoch]]:
    epochs: list[Epoch] = []
    outcome = run_trial(request, lambda epoch: epochs.append(epoch) or Decision.CONTINUE, registry)
    assert outcome.reason is Reason.DONE, outcome.message
    path = Artifacts(Path(request.artifacts)).open(outcome.checkpoint or "")
    return Restored.open(path, registry, "cpu"), epochs


def test_a_checkpoint_of_a_cropped_averaged_and_ten_times_seen_trial_gives_its_metrics(
    request_of: RequestOf, registry: Registry, tmp_path: Path
) -> None:
    prepared = prepare(registry.datasets["patterns"], None, {"image_size": 20}, tmp_path / "prepared")
    request = request_of(EXTRAS, prepared=str(prepared.folder), dataset_options={"image_size": 20})
    restored, epochs = finished(request, registry)
    assert restored.task.image_size == 20
    assert (restored.card["mean"], restored.card["std"]) == ([0.5], [0.5])
    loaded = load(registry.datasets["patterns"], Prepared.open(Path(request.prepared)), {}, request.protocol)
    values, _ = restored.evaluate(loaded, "valid", registry.metrics)
    best = epochs[int(restored.card["epoch"]) - 1].values
    assert values["accuracy"] == pytest.approx(best["accuracy"])
    images = np.asarray(loaded.images[:5])
    ten, one = restored.probabilities(images), restored.probabilities(images, tta="none")
    assert ten.shape == one.shape == (5, 4)
    assert not np.allclose(ten, one)
    np.testing.assert_allclose(ten.sum(1), 1, atol=1e-5)


def test_a_plain_trial_can_be_judged_through_views(request_of: RequestOf, registry: Registry) -> None:
    restored, _ = finished(request_of(), registry)
    loaded = load(registry.datasets["patterns"], Prepared.open(Path(request_of().prepared)), {})
    images = np.asarray(loaded.images[:6])
    mirrored = (restored.probabilities(images) + restored.probabilities(images[..., ::-1].copy())) / 2
    np.testing.assert_allclose(restored.probabilities(images, tta="flip"), mirrored, atol=1e-5)
    for tta in ("flip", "five_crop", "ten_crop"):
        values, confusion = restored.evaluate(loaded, "valid", registry.metrics, tta)
        assert 0 <= values["accuracy"] <= 1
        assert sum(map(sum, confusion)) == len(loaded.indices["valid"])
    with pytest.raises(UnknownName, match="unknown tta 'mirror'"):
        restored.probabilities(images, tta="mirror")


def test_a_crop_larger_than_the_images_ends_the_trial_with_a_message(request_of: RequestOf, registry: Registry) -> None:
    outcome = run_trial(request_of({"crop": 40}), lambda epoch: Decision.CONTINUE, registry)
    assert outcome.reason is Reason.ERROR
    assert outcome.message.startswith("crop: 40 pixels cannot be cut from images of 16x16")
