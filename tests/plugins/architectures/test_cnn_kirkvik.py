from typing import Any

import pytest
import torch
from fersearch_architectures.cnn_kirkvik import CnnKirkvik

from fersearch import Task, UsageError
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta

LISTING = {"dropout": 0.0, "conv_dropout": 0.0, "init": "torch", "l2": 0.01, "max_norm": 0.0}
SMALL = Task(("a", "b"), 1, 24)


class TestCnnKirkvik(ArchitectureSuite):
    architecture = CnnKirkvik()
    tasks = (Task(tuple("abcdefgh"), 1, 24), Task(("yes", "no"), 3, 17))


def test_it_has_the_listings_weights() -> None:
    assert count_on_meta(CnnKirkvik(), LISTING, Task(tuple("abcdefg")))["total"] == 3_669_639


def test_its_layers_stand_in_the_listings_order() -> None:
    model: Any = CnnKirkvik().build({**LISTING, "dropout": 0.5, "conv_dropout": 0.25}, SMALL)
    layers = [layer for stage in model for layer in stage]
    pooled = ["Conv2d", "ReLU", "BatchNorm2d", "MaxPool2d", "Dropout"]
    names = ["Conv2d", "ReLU", *pooled, *pooled, *pooled, "Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    assert [type(layer).__name__ for layer in layers] == names
    assert [layer.p for layer in layers if isinstance(layer, torch.nn.Dropout)] == [0.25, 0.25, 0.25, 0.5]
    assert [layer.padding[0] for layer in layers if isinstance(layer, torch.nn.Conv2d)] == [1, 1, 1, 0]


def gradients(params: dict[str, Any], add: float = 0.0) -> dict[str, torch.Tensor]:
    """Gradients of one loss, to which `add` times the sums of squares of the last two convolutions is added."""
    torch.manual_seed(0)
    model: Any = CnnKirkvik().build(params, SMALL)
    loss = torch.nn.functional.cross_entropy(model(torch.randn(3, 1, 24, 24)), torch.tensor([0, 1, 0]))
    if add:
        loss = loss + add * sum(model[stage][1].weight.square().sum() for stage in (2, 3))
    loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


def test_l2_is_the_gradient_of_the_weights_squares_in_the_loss() -> None:
    hooked, summed = gradients({**LISTING, "l2": 0.3}), gradients({**LISTING, "l2": 0.0}, add=0.3)
    for name, gradient in summed.items():
        assert torch.allclose(hooked[name], gradient, atol=1e-6, rtol=1e-4), name
    free = gradients({**LISTING, "l2": 0.0})
    regularised = {name for name in free if not torch.allclose(free[name], hooked[name], atol=1e-5)}
    assert regularised == {"conv3.1.weight", "conv4.1.weight"}


def test_max_norm_shortens_the_long_filters_of_the_first_convolution_alone() -> None:
    model: Any = CnnKirkvik().build({**LISTING, "max_norm": 3.0}, SMALL)
    with torch.no_grad():
        model.conv1[0].weight[:5].fill_(2.0)  # of length 6
        model.conv2[0].weight.mul_(100)
    short, other = model.conv1[0].weight[5:].clone(), model.conv2[0].weight.clone()
    model(torch.randn(2, 1, 24, 24))
    lengths = model.conv1[0].weight.flatten(1).norm(dim=1)
    assert torch.allclose(lengths[:5], torch.full((5,), 3.0), atol=1e-4)
    assert torch.equal(model.conv1[0].weight[5:], short)
    assert torch.equal(model.conv2[0].weight, other)


def test_training_goes_on_after_an_evaluation_that_shortened_filters() -> None:
    model: Any = CnnKirkvik().build({**LISTING, "max_norm": 0.1}, SMALL)
    images = torch.randn(2, 1, 24, 24)
    with torch.inference_mode():
        model.eval()(images)
    model.train()(images).sum().backward()
    assert model.conv1[0].weight.grad.abs().sum() > 0
    assert float(model.conv1[0].weight.detach().flatten(1).norm(dim=1).max()) <= 0.1 + 1e-6


def test_a_frozen_first_convolution_keeps_its_filters() -> None:
    model: Any = CnnKirkvik().build({**LISTING, "max_norm": 0.1}, SMALL)
    model.conv1.requires_grad_(False)
    before = model.conv1[0].weight.clone()
    model(torch.randn(2, 1, 24, 24))
    assert torch.equal(model.conv1[0].weight, before)


def test_glorot_has_no_biases_at_the_start() -> None:
    model: Any = CnnKirkvik().build({**LISTING, "init": "glorot"}, SMALL)
    assert not any(bias.any() for name, bias in model.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("size", [16, 40, 100])
def test_any_image_size_fits(size: int) -> None:
    model = CnnKirkvik().build(LISTING, Task(("a", "b"), 3, size))
    assert model(torch.randn(2, 3, size, size)).shape == (2, 2)


def test_an_image_that_is_too_small_is_refused() -> None:
    with pytest.raises(UsageError, match="--image-size 16"):
        CnnKirkvik().build(LISTING, Task(("a", "b"), 1, 15))
