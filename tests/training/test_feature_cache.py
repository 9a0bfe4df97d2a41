"""The features of a frozen prefix are cached where that changes nothing, and nowhere else."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from fersearch_architectures.resnet import ResNet18
from torch import Tensor, nn

from fersearch.components import Task
from fersearch.data.arrays import Loaded
from fersearch.study import Objective
from fersearch.training.batches import Pixels
from fersearch.training.context import TrainingContext
from fersearch.training.feature_cache import Features, find_prefix
from fersearch.training.freezing import freeze
from fersearch.training.loop import train
from fersearch.trial import Decision, Epoch

CPU = torch.device("cpu")
FROZEN = {"freeze": "all_but_last", "frozen_batch_norm": "fixed"}


class Plain(nn.Module):
    """Three stages with a functional operation between them."""

    def __init__(self, dropout: float = 0.0, twice: bool = False) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True))
        self.second = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Dropout(dropout), nn.AdaptiveAvgPool2d(2))
        self.head = nn.Linear(16, 3)
        self.twice = twice

    def forward(self, images: Tensor) -> Tensor:
        features = self.second(self.first(images)).flatten(1)
        return self.head(features) + (features.sum() * 1e-3 if self.twice else 0)


def pixels(size: int = 16) -> Pixels:
    images = np.random.default_rng(0).integers(0, 256, (10, 1, size, size), dtype=np.uint8)
    return Pixels.of(images, [0.5], [0.2], CPU)


def frozen(model: Plain, *stages: str) -> Plain:
    for name in stages:
        model.get_submodule(name).requires_grad_(False)
    return model


def norms(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


ROWS = np.arange(10)


def test_features_and_tail_make_what_the_model_makes() -> None:
    model, source = frozen(Plain(), "first", "second"), pixels()
    prefix = find_prefix(model, source, ROWS, norms(model), "float32")
    assert prefix is not None
    assert prefix.boundary is model.head
    features = Features(prefix, source, ROWS[2:])
    assert features.facts()["images"] == 8
    assert features.facts()["values"] == 16
    rows = features.rows([7, 3])
    with torch.no_grad():
        whole = model.eval()(source.take(source.rows([7, 3])))
        assert torch.allclose(prefix.tail(features.take(rows)), whole, atol=1e-6)


def test_the_tail_learns_with_the_model() -> None:
    model = frozen(Plain(), "first", "second")
    prefix = find_prefix(model, pixels(), ROWS, norms(model), "float32")
    assert prefix is not None
    assert {id(weight) for weight in prefix.tail.parameters()} == {id(weight) for weight in model.head.parameters()}
    assert list(model.state_dict()) == list(Plain().state_dict())


def test_a_part_in_the_middle_can_be_the_first_that_learns() -> None:
    model = frozen(Plain(), "first")
    prefix = find_prefix(model, pixels(), ROWS, norms(model), "float32")
    assert prefix is not None
    assert prefix.boundary is model.second


def test_nothing_frozen_has_no_prefix_and_a_frozen_middle_has_none_either() -> None:
    assert find_prefix(Plain(), pixels(), ROWS, [], "float32") is None
    model = frozen(Plain(), "second")
    assert find_prefix(model, pixels(), ROWS, norms(model), "float32") is None


def test_statistics_that_move_are_not_cached_and_stay_as_they_were() -> None:
    model = frozen(Plain(), "first", "second")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert find_prefix(model, pixels(), ROWS, [], "float32") is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_prefix_that_draws_is_not_cached_and_nobodys_draws_change() -> None:
    model = frozen(Plain(dropout=0.5), "first", "second")
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    assert find_prefix(model, pixels(), ROWS, norms(model), "float32") is None
    assert torch.equal(torch.rand(2), expected)


def test_a_network_that_looks_back_behind_the_boundary_is_not_cached() -> None:
    class Skips(Plain):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(images) + images.mean()

    model = frozen(Skips(), "first", "second")
    assert find_prefix(model, pixels(), ROWS, norms(model), "float32") is None


def test_features_that_do_not_fit_into_memory_are_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fersearch.training.feature_cache._free", lambda device: 1000)
    model = frozen(Plain(), "first", "second")
    assert find_prefix(model, pixels(), ROWS, norms(model), "float32") is None


def test_the_boundary_of_a_resnet_is_where_its_stages_are_cut() -> None:
    architecture, task = ResNet18(), Task(("a", "b", "c"), 1, 32)
    for rule, boundary in (("all_but_last", "fc"), ("first_2", "layer2"), ("first_4", "layer4")):
        params: dict[str, Any] = {"dropout": 0.3, "freeze": rule, "frozen_batch_norm": "fixed"}
        model = architecture.build(params, task)
        prefix = find_prefix(model, pixels(32), ROWS, freeze(architecture, model, params), "float32")
        assert prefix is not None
        assert prefix.boundary is model.get_submodule(boundary)


@pytest.fixture
def trained(
    patterns: Callable[..., Loaded], base: dict[str, Any], tmp_path: Any
) -> Callable[..., tuple[list[Epoch], dict[str, Any]]]:
    """Trains a small frozen ResNet on the patterns; returns its epochs and the reported facts of the cache."""

    def go(epochs: int = 3, stop: int = 0, name: str = "a", **changed: Any) -> tuple[list[Epoch], dict[str, Any]]:
        torch.manual_seed(0)
        params = {**base, **FROZEN, "epochs": epochs, "dropout": 0.2, **changed}
        loaded = patterns(24)
        model = ResNet18().build(params, loaded.task)
        facts: dict[str, Any] = {}
        (tmp_path / name).mkdir(exist_ok=True)
        context = TrainingContext(
            device=CPU,
            metrics={},
            objective=Objective("valid_loss", "min"),
            seed=1,
            scratch=tmp_path / name,
            resume=True,
            fixed=freeze(ResNet18(), model, params),
            facts=facts,
        )
        running = train(model, loaded, params, context)
        reported = []
        for epoch in running:
            reported.append(epoch)
            if epoch.number == stop:
                with suppress(StopIteration):
                    running.send(Decision.INTERRUPT)
        return reported, facts

    return go


def losses(epochs: list[Epoch]) -> list[float]:
    return [epoch.values[name] for epoch in epochs for name in ("train_loss", "valid_loss")]


def test_a_trial_with_the_cache_learns_what_one_without_it_learns(
    trained: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    cached, facts = trained()
    assert facts["cached_features"]["images"] == 24
    assert facts["cached_features"]["values"] == 512
    monkeypatch.setattr("fersearch.training.loop.find_prefix", lambda *_: None)
    plain, without = trained(name="b")
    assert without == {}
    assert losses(cached) == pytest.approx(losses(plain), abs=1e-5)


@pytest.mark.parametrize(
    "changed",
    [
        {"augmentation": "flip"},
        {"freeze": "none"},
        {"frozen_batch_norm": "moving"},
        {"tta": "flip"},
        {"mixup": 0.2},
        {"ema": 0.9},
        {"sampling": "smote"},
        {"crop": 12},
    ],
)
def test_what_changes_the_input_or_the_prefix_is_not_cached(trained: Callable[..., Any], changed: Any) -> None:
    assert trained(epochs=2, **changed)[1] == {}


def test_a_resumed_trial_with_the_cache_equals_one_without_a_stop(trained: Callable[..., Any]) -> None:
    whole, _ = trained(epochs=4)
    first, _ = trained(epochs=4, stop=2, name="b")
    second, facts = trained(epochs=4, name="b")
    assert facts["cached_features"]["images"] == 24
    assert losses(first + second) == losses(whole)
