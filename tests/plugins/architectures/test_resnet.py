from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from fersearch_architectures import resnet
from fersearch_architectures.resnet import ResNet18

from fersearch import FersearchError, Task
from fersearch.testing import ArchitectureSuite
from fersearch.training.measure import count_on_meta
from fersearch.training.weights import start_from

GREY = Task(tuple("abcdefgh"))
PARAMS: dict[str, Any] = {"dropout": 0.0, "first_conv": "sum"}


class TestResNet18(ArchitectureSuite):
    architecture = ResNet18()


@pytest.mark.parametrize(("classes", "weights"), [(10, 11_175_370), (8, 11_174_344), (7, 11_173_831)])
def test_it_has_torchvisions_weights_for_grey_images(classes: int, weights: int) -> None:
    assert count_on_meta(ResNet18(), PARAMS, Task(tuple("abcdefghij"[:classes])))["total"] == weights


@pytest.fixture
def pretrained(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Stands in for the ImageNet weights: a network for RGB images and 1,000 classes."""
    torch.manual_seed(3)
    weights = ResNet18().build(PARAMS, Task(tuple(map(str, range(1000))), 3)).state_dict()
    monkeypatch.setattr(resnet, "imagenet", lambda: dict(weights))
    return weights


def test_imagenet_weights_are_loaded_but_for_the_classifier(pretrained: dict[str, torch.Tensor]) -> None:
    model = ResNet18().build(PARAMS, GREY)
    head = model.fc.weight.detach().clone()
    start_from(ResNet18(), model, "imagenet", PARAMS, GREY)
    assert torch.equal(model.conv1.weight, pretrained["conv1.weight"].sum(1, keepdim=True))
    assert torch.equal(model.layer4[1].conv2.weight, pretrained["layer4.1.conv2.weight"])
    assert torch.equal(model.fc.weight, head)


def test_a_random_first_convolution_stays_as_it_was_built(pretrained: dict[str, torch.Tensor]) -> None:
    params = {**PARAMS, "first_conv": "random"}
    model = ResNet18().build(params, GREY)
    before = model.conv1.weight.detach().clone()
    start_from(ResNet18(), model, "imagenet", params, GREY)
    assert torch.equal(model.conv1.weight, before)
    assert torch.equal(model.layer1[0].conv1.weight, pretrained["layer1.0.conv1.weight"])


def test_rgb_images_take_the_first_convolution_as_it_is(pretrained: dict[str, torch.Tensor]) -> None:
    task = Task(("a", "b"), 3)
    model = ResNet18().build(PARAMS, task)
    start_from(ResNet18(), model, "imagenet", {**PARAMS, "first_conv": "random"}, task)
    assert torch.equal(model.conv1.weight, pretrained["conv1.weight"])


def test_a_local_file_serves_without_a_network(pretrained: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(pretrained, tmp_path / "resnet18.pth")
    model = ResNet18().build(PARAMS, GREY)
    start_from(ResNet18(), model, str(tmp_path / "resnet18.pth"), PARAMS, GREY)
    assert torch.equal(model.conv1.weight, pretrained["conv1.weight"].sum(1, keepdim=True))


@pytest.mark.parametrize("error", [URLError("no network"), RuntimeError("invalid hash value")])
def test_weights_that_cannot_be_downloaded_point_to_a_local_file(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    from torchvision.models import WeightsEnum

    def fail(*_: Any, **__: Any) -> Callable[..., Any]:
        raise error

    monkeypatch.setattr(WeightsEnum, "get_state_dict", fail)
    with pytest.raises(FersearchError, match="--weights FILE") as told:
        start_from(ResNet18(), ResNet18().build(PARAMS, GREY), "imagenet", PARAMS, GREY)
    assert "cannot download the ImageNet weights of resnet18" in told.value.message


def test_dropout_acts_in_training_alone_and_renames_no_weight() -> None:
    model = ResNet18().build({"dropout": 0.5}, GREY)
    assert set(model.state_dict()) == set(ResNet18().build(PARAMS, GREY).state_dict())
    features = torch.ones(1, 512)
    model.train()
    assert not torch.equal(model.fc(features), model.fc(features))
    model.eval()
    assert torch.equal(model.fc(features), model.fc(features))
