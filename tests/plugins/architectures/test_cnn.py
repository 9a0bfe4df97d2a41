from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn

from fersearch import Task
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta

REPORT = {"dropout": 0.2, "activation": "relu", "batch_norm": True, "convolutions": 2, "width": 1}


class TestCnn(ArchitectureSuite):
    architecture = Cnn()
    tasks = (Task(tuple("abcdefgh"), 1, 48), Task(("yes", "no"), 3, 16))


@pytest.mark.parametrize(("classes", "weights"), [(10, 169_270), (8, 169_100), (7, 169_015)])
def test_it_is_the_reports_network(classes: int, weights: int) -> None:
    assert count_on_meta(Cnn(), REPORT, Task(tuple("abcdefghij"[:classes])))["total"] == weights


def test_one_convolution_without_batch_norm_is_the_reports_first_version() -> None:
    params = {**REPORT, "convolutions": 1, "batch_norm": False}
    assert count_on_meta(Cnn(), params, Task(tuple("abcdefghij")))["total"] == 349_966


@pytest.mark.parametrize("size", [16, 17, 33, 48, 64, 100])
@pytest.mark.parametrize("convolutions", [1, 2])
def test_any_image_size_from_16_fits(size: int, convolutions: int) -> None:
    task = Task(("a", "b"), 1, size)
    model = Cnn().build({**REPORT, "convolutions": convolutions}, task)
    assert model(torch.randn(2, 1, size, size)).shape == (2, 2)


def test_dropout_comes_before_the_activation_with_the_requested_share() -> None:
    layers = list(Cnn().build({**REPORT, "dropout": 0.3}, Task(("a", "b"))).fc2)
    assert [type(layer).__name__ for layer in layers] == ["Linear", "Dropout", "ReLU"]
    assert layers[1].p == 0.3


@pytest.mark.parametrize(("name", "kind"), [("relu", "ReLU"), ("leaky_relu", "LeakyReLU"), ("sigmoid", "Sigmoid")])
def test_the_activation_is_the_requested_one(name: str, kind: str) -> None:
    model: Any = Cnn().build({**REPORT, "activation": name}, Task(("a", "b")))
    kinds = {type(layer).__name__ for layer in model.modules()}
    assert kinds & {"ReLU", "LeakyReLU", "Sigmoid"} == {kind}
