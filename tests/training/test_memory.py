"""A trial's memory, measured by two steps: for real on the CPU, and on a GPU where there is one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn

from fersearch.registry import Registry
from fersearch.training import memory as probing
from fersearch.training.memory import CONTEXT, gpu_memory_facts, peak_gpu_bytes, probe
from fersearch.training.request import TrialRequest
from fersearch.training.trainer import Trainer

RequestOf = Callable[..., TrialRequest]
MB = 2**20


class Wide(Cnn):
    """A network whose weights are known: one linear layer of 16 x 16 x 40,960 and one of 40,960 x 4.

    The first has more than 32 MB, so that the C library takes it from the system, never from what was freed before.
    """

    def build(self, params: Any, task: Any) -> Any:
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(256, 40960), torch.nn.Linear(40960, 4))


class Starved(Cnn):
    """A network that finds no memory."""

    def build(self, params: Any, task: Any) -> Any:
        raise MemoryError("no room for the network")


def test_two_steps_need_weights_gradients_and_the_optimizers_state(request_of: RequestOf, registry: Registry) -> None:
    registry.architectures["cnn"] = Wide()
    weights = (256 * 40960 + 40960 + 40960 * 4 + 4) * 4
    needs = {
        name: probe(request_of({"optimizer": name, "momentum": 0.0}), registry=registry)["need"]
        for name in ("sgd", "adam")
    }
    assert needs["sgd"] > 2 * weights  # with the gradients
    assert needs["adam"] > 4 * weights  # with two moments beside
    assert needs["adam"] < 20 * weights


def test_two_steps_are_taken_at_the_batch_size(
    request_of: RequestOf, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    learn = Trainer.train_step

    def seen(trainer: Trainer, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        return learn(trainer, images, targets)

    monkeypatch.setattr(Trainer, "train_step", seen)
    assert probe(request_of({"batch_size": 16}), registry=registry)["need"] > 0
    assert sizes == [16, 16]


def test_features_of_a_frozen_prefix_are_added(
    request_of: RequestOf, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen_request = request_of(
        {"freeze": "all_but_last", "frozen_batch_norm": "fixed", "augmentation": "none", "epochs": 3}
    )
    feature_bytes: list[int] = []
    features = probing._features

    def seen(*args: Any) -> int:
        feature_bytes.append(features(*args))
        return feature_bytes[-1]

    monkeypatch.setattr(probing, "_features", seen)
    assert probe(frozen_request, registry=registry)["need"] >= feature_bytes[0] > 0


def test_memory_that_runs_out_is_an_answer(request_of: RequestOf, registry: Registry) -> None:
    registry.architectures["cnn"] = Starved()
    assert probe(request_of(), registry=registry) == {"lacks": "no room for the network"}


def test_off_a_gpu_nothing_of_one_is_taken() -> None:
    assert peak_gpu_bytes(torch.device("cpu")) is None
    assert gpu_memory_facts("cpu") == {}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_gpu_the_need_is_reserved_memory_and_context(request_of: RequestOf, registry: Registry) -> None:
    result = probe(request_of(device="cuda:0"), registry=registry)
    reserved = torch.cuda.max_memory_reserved(0)
    assert reserved + 50 * MB < result["need"] < reserved + 4 * CONTEXT
    assert gpu_memory_facts("cuda:0")["device_mb"] * MB >= reserved


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_on_a_gpu_no_more_than_the_limit_is_taken(request_of: RequestOf, registry: Registry) -> None:
    registry.architectures["cnn"] = Wide()
    try:
        assert "lacks" in probe(request_of(device="cuda:0"), CONTEXT + MB, registry)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, 0)
