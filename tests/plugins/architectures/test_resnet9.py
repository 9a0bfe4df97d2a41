from typing import Any

import pytest
import torch
from fersearch_architectures._residual import Residual
from fersearch_architectures.resnet9 import ResNet9
from torch import nn

from fersearch import Task
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta

PARAMS = {"dropout": 0.2, "width": 24}
CLASSES = tuple("abcdefg")


class TestResNet9(ArchitectureSuite):
    architecture = ResNet9()
    tasks = (Task(CLASSES, 1, 24), Task(("yes", "no"), 3, 48))


@pytest.mark.parametrize(("width", "weights"), [(16, 412_279), (24, 925_999), (32, 1_644_775), (64, 6_570_439)])
def test_its_weights_match_the_guides(width: int, weights: int) -> None:
    assert count_on_meta(ResNet9(), {**PARAMS, "width": width}, Task(CLASSES))["total"] == weights


@pytest.mark.parametrize(("size", "side"), [(16, 2), (32, 4), (39, 4), (40, 2), (48, 3), (224, 14)])
def test_the_first_convolution_is_pooled_on_images_of_40_pixels_or_more(size: int, side: int) -> None:
    model: Any = ResNet9().build({**PARAMS, "width": 16}, Task(("a", "b"), 1, size))
    with torch.device("meta"):
        features = model.to("meta")[:-1](torch.empty(2, 1, size, size))
    assert features.shape == (2, 128, side, side)


def test_a_block_without_weights_passes_its_input_on() -> None:
    block = Residual(nn.Conv2d(3, 3, 1))
    for weights in block.parameters():
        nn.init.zeros_(weights)
    images = torch.randn(2, 3, 4, 4)
    assert torch.equal(block(images), images)


def test_dropout_comes_before_the_linear_layer() -> None:
    model: Any = ResNet9().build({**PARAMS, "dropout": 0.3}, Task(("a", "b")))
    assert [type(layer).__name__ for layer in model.head][-2:] == ["Dropout", "Linear"]
    assert model.head[-2].p == 0.3
