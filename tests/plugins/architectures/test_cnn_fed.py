from typing import Any

import pytest
import torch
from fersearch_architectures.cnn_fed import PRESETS, CnnFed

from fersearch import Choice, Task, UsageError
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta

FOUR = Task(("angry", "engaged", "happy", "neutral"))


class Paired(CnnFed):
    space = {**CnnFed.space, "layout": Choice("paired")}


class Economical(CnnFed):
    space = {**CnnFed.space, "layout": Choice("economical")}


class TestPaired(ArchitectureSuite):
    architecture = Paired()
    tasks = (Task(tuple("abcdefgh"), 1, 16), Task(("yes", "no"), 3, 17))


class TestEconomical(ArchitectureSuite):
    architecture = Economical()
    tasks = (Task(tuple("abcdefgh"), 1, 48), Task(("yes", "no"), 3, 64))


@pytest.mark.parametrize(
    ("preset", "layout", "weights"),
    [
        ("cnn003_main", "paired", 9_286_380),
        ("cnn003_deep", "paired", 18_576_492),
        ("cnn003_k4", "paired", 6_520_780),
        ("cnn003_deep_alt", "paired", 9_286_380),
        ("cnn003_main", "economical", 979_908),
        ("cnn003_deep", "economical", 1_046_212),
        ("cnn003_k4", "economical", 953_508),
    ],
)
def test_a_preset_has_its_weights(preset: str, layout: str, weights: int) -> None:
    params = {"dropout": 0.0, "preset": preset, "layout": layout}
    assert count_on_meta(CnnFed(), params, FOUR)["total"] == weights


@pytest.mark.parametrize(("preset", "shape"), PRESETS.items())
def test_custom_makes_the_same_networks(preset: str, shape: tuple[int, int]) -> None:
    named = {"dropout": 0.0, "preset": preset, "layout": "paired"}
    custom = {"dropout": 0.0, "preset": "custom", "depth": shape[0], "kernel": shape[1], "layout": "paired"}
    assert convolutions(named) == convolutions(custom) == [(shape[1], shape[1])] * shape[0]


def convolutions(params: dict[str, Any]) -> list[tuple[int, int]]:
    with torch.device("meta"):
        model = CnnFed().build(params, FOUR)
    return [layer.kernel_size for layer in model.modules() if isinstance(layer, torch.nn.Conv2d)]


def test_dropout_comes_twice_and_only_in_the_linear_part() -> None:
    model: Any = CnnFed().build({"dropout": 0.3}, Task(("a", "b"), 1, 16))
    assert [type(layer).__name__ for layer in model.fc] == ["Flatten", "Dropout", "Linear", "LeakyReLU"]
    assert [type(layer).__name__ for layer in model.head] == ["Dropout", "Linear"]
    assert model.fc[1].p == model.head[0].p == 0.3
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in model.modules()) == 2


def test_a_paired_network_pools_after_every_second_convolution() -> None:
    model: Any = CnnFed().build({"dropout": 0.0, "preset": "cnn003_deep"}, Task(("a", "b"), 1, 16))
    pooled = [isinstance(model[stage][-1], torch.nn.MaxPool2d) for stage in range(5)]
    assert pooled == [False, True, False, True, False]
    assert [type(layer).__name__ for layer in model.conv1] == ["Conv2d", "BatchNorm2d", "LeakyReLU"]


@pytest.mark.parametrize("size", [40, 100])
@pytest.mark.parametrize("kernel", [3, 4])
def test_any_image_size_fits(size: int, kernel: int) -> None:
    params = {"dropout": 0.0, "preset": "custom", "depth": 4, "kernel": kernel, "layout": "economical"}
    model = CnnFed().build(params, Task(("a", "b"), 3, size))
    assert model(torch.randn(2, 3, size, size)).shape == (2, 2)


def test_an_image_that_is_too_small_is_refused() -> None:
    params = {"dropout": 0.0, "preset": "custom", "depth": 5, "kernel": 4, "layout": "economical"}
    with pytest.raises(UsageError, match="nothing is left of images of 40x40") as messages:
        CnnFed().build(params, Task(("a", "b"), 1, 40))
    assert messages.value.hint == "give images of 47x47 or more: --image-size 47"
    model = CnnFed().build(params, Task(("a", "b"), 1, 47))
    assert model(torch.randn(2, 1, 47, 47)).shape == (2, 2)
