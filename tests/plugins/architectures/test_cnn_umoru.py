import math
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn_umoru import CnnUmoru

from fersearch import Task, UsageError
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta

THESIS = {"dropout": 0.5, "width": 64, "padding": "same", "conv_dropout": 0.25, "init": "torch"}


class TestCnnUmoru(ArchitectureSuite):
    architecture = CnnUmoru()
    tasks = (Task(tuple("abcdefgh"), 1, 24), Task(("yes", "no"), 3, 17))


@pytest.mark.parametrize(
    ("classes", "channels", "size", "weights"),
    [
        (7, 1, 48, 2_434_823),
        (8, 1, 48, 2_434_952),
        (7, 1, 224, 51_455_751),
        (8, 1, 224, 51_455_880),
        (7, 3, 48, 2_435_975),
    ],
)
def test_it_has_the_weights_that_the_thesis_computes(classes: int, channels: int, size: int, weights: int) -> None:
    task = Task(tuple("abcdefgh"[:classes]), channels, size)
    assert count_on_meta(CnnUmoru(), THESIS, task)["total"] == weights


@pytest.mark.parametrize(("padding", "weights"), [("same", 1_199_495), ("valid", 839_047)])
def test_32_filters_are_the_thesiss_text(padding: str, weights: int) -> None:
    params = {**THESIS, "width": 32, "padding": padding}
    assert count_on_meta(CnnUmoru(), params, Task(tuple("abcdefg")))["total"] == weights


def test_three_dropouts_stand_where_the_thesis_has_them() -> None:
    model: Any = CnnUmoru().build(THESIS, Task(("a", "b"), 1, 16))
    layers = [layer for stage in model for layer in stage]
    names = [type(layer).__name__ for layer in layers]
    block = ["Conv2d", "ReLU", "MaxPool2d", "Dropout"]
    assert names == [*block, *block, "Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    assert [layer.p for layer in layers if isinstance(layer, torch.nn.Dropout)] == [0.25, 0.25, 0.5]


def test_glorot_starts_from_keras_weights() -> None:
    torch.manual_seed(0)
    model: Any = CnnUmoru().build({**THESIS, "init": "glorot"}, Task(("a", "b"), 1, 16))
    weight = model.conv2[1].weight.detach()
    bound = math.sqrt(6 / (9 * 64 + 9 * 128))
    assert 0.99 * bound < float(weight.abs().max()) <= bound
    assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert not any(bias.any() for name, bias in model.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("size", [40, 47, 48, 100, 224])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_any_image_size_fits(size: int, padding: str) -> None:
    task = Task(("a", "b"), 1, size)
    model = CnnUmoru().build({**THESIS, "padding": padding, "width": 32}, task)
    assert model(torch.randn(1, 1, size, size)).shape == (1, 2)


@pytest.mark.parametrize(("padding", "least"), [("same", 4), ("valid", 10)])
def test_an_image_that_is_too_small_is_refused_with_the_least_size(padding: str, least: int) -> None:
    params = {**THESIS, "padding": padding}
    with pytest.raises(UsageError) as messages:
        CnnUmoru().build(params, Task(("a", "b"), 1, least - 1))
    assert f"cnn_umoru: nothing is left of images of {least - 1}x{least - 1}" in messages.value.message
    assert messages.value.hint == f"give images of {least}x{least} or more: --image-size {least}"
    model = CnnUmoru().build(params, Task(("a", "b"), 1, least))
    assert model(torch.randn(1, 1, least, least)).shape == (1, 2)
