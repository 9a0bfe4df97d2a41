from typing import Any

import pytest
import torch
from fersearch_architectures.vgg_faces import FaceVgg, Vgg13FerPlus, VggKhaireddin

from fersearch import Task, UsageError
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta

PARAMS: dict[str, Any] = {"dropout": 0.5}


class TestVgg13FerPlus(ArchitectureSuite):
    architecture = Vgg13FerPlus()
    tasks = (Task(tuple("abcdefgh"), 1, 32), Task(("yes", "no"), 3, 16))


class TestVggKhaireddin(ArchitectureSuite):
    architecture = VggKhaireddin()
    tasks = (Task(tuple("abcdefg"), 1, 16), Task(("yes", "no"), 3, 40))
    large = 25_000_000


COUNTS = [
    (Vgg13FerPlus(), 8, 64, 8_757_704),
    (Vgg13FerPlus(), 8, 48, 6_922_696),
    (VggKhaireddin(), 7, 40, 29_890_759),
]


@pytest.mark.parametrize(("network", "classes", "size", "weights"), COUNTS)
def test_it_is_the_papers_network(network: FaceVgg, classes: int, size: int, weights: int) -> None:
    assert count_on_meta(network, PARAMS, Task(tuple("abcdefgh"[:classes]), 1, size))["total"] == weights


@pytest.mark.parametrize("network", [Vgg13FerPlus(), VggKhaireddin()])
def test_a_frozen_stage_ends_before_the_dropout_that_follows_it(network: FaceVgg) -> None:
    model = network.build(PARAMS, Task(("a", "b"), 1, 16))
    first = model.block1.train()
    images = torch.randn(2, 1, 16, 16)
    assert torch.equal(first(images), first(images))
    assert [type(stage[0]).__name__ for stage in model][1:] == ["Dropout"] * 6


def test_the_ferplus_networks_dropouts_are_the_papers_by_default() -> None:
    def shares(**params: float) -> list[float]:
        model = Vgg13FerPlus().build({**PARAMS, **params}, Task(("a", "b"), 1, 16))
        return [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)]

    assert shares() == [0.25] * 4 + [0.5] * 2
    assert shares(conv_dropout=0.1, dropout=0.3) == [0.1] * 4 + [0.3] * 2


def test_khaireddins_network_drops_nothing_after_its_pools() -> None:
    model = VggKhaireddin().build({"dropout": 0.2}, Task(("a", "b"), 1, 16))
    shares = [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)]
    assert shares == [0.0] * 4 + [0.2] * 2


def test_the_ferplus_network_starts_from_glorots_weights() -> None:
    layer = Vgg13FerPlus().build(PARAMS, Task(("a", "b"), 1, 16)).block4[1]
    bound = (6 / (9 * 256 + 9 * 256)) ** 0.5
    assert 0.99 * bound < layer.weight.abs().max() <= bound
    assert not layer.bias.any()


def test_images_too_small_are_refused() -> None:
    with pytest.raises(UsageError, match="--image-size 16"):
        VggKhaireddin().build(PARAMS, Task(("a", "b"), 1, 12))
