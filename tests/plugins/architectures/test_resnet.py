from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from fersearch_architectures import resnet
from fersearch_architectures.resnet import ResNet, ResNet18, ResNet34, ResNet50, ResNet101

from fersearch import FersearchError, Task
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta
from fersearch.training.weights import start_from

GREY = Task(tuple("abcdefgh"))
PARAMS: dict[str, Any] = {"dropout": 0.0, "first_conv": "sum"}
SMALL = (Task(tuple("abcdefgh"), 1, 24),)


class TestResNet18(ArchitectureSuite):
    architecture = ResNet18()
    tasks = SMALL


class TestResNet34(ArchitectureSuite):
    architecture = ResNet34()
    tasks = SMALL
    large = 20_000_000


class TestResNet50(ArchitectureSuite):
    architecture = ResNet50()
    tasks = SMALL
    large = 20_000_000


class TestResNet101(ArchitectureSuite):
    architecture = ResNet101()
    tasks = SMALL


COUNTS = [
    (ResNet18(), 10, 1, 11_175_370),
    (ResNet18(), 8, 1, 11_174_344),
    (ResNet18(), 7, 1, 11_173_831),
    (ResNet18(), 7, 3, 11_180_103),
    (ResNet34(), 8, 1, 21_282_504),
    (ResNet34(), 7, 3, 21_288_263),
    (ResNet50(), 7, 1, 23_516_103),
    (ResNet50(), 7, 3, 23_522_375),
    (ResNet101(), 8, 1, 42_510_280),
    (ResNet101(), 7, 3, 42_514_503),
]


@pytest.mark.parametrize(("network", "classes", "channels", "weights"), COUNTS)
def test_it_has_torchvisions_weights(network: ResNet, classes: int, channels: int, weights: int) -> None:
    task = Task(tuple("abcdefghij"[:classes]), channels)
    assert count_on_meta(network, PARAMS, task)["total"] == weights


def test_the_fer_reports_freezing_trains_8266_weights() -> None:
    """Its first convolution (3,136) and its classifier of ten classes (5,130)."""
    params = {**PARAMS, "freeze": "all_but_first_and_last"}
    assert count_on_meta(ResNet18(), params, Task(tuple("abcdefghij")))["trainable"] == 3_136 + 5_130 == 8_266


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50", "resnet101"])
def test_its_weights_have_torchvisions_names_and_shapes(name: str) -> None:
    from torchvision import models

    network = next(kind() for kind in (ResNet18, ResNet34, ResNet50, ResNet101) if kind.name == name)
    with torch.device("meta"):
        own = network.build(PARAMS, Task(("a", "b"), 3)).state_dict()
        theirs = models.get_model(name, num_classes=2).state_dict()
    assert {key: tensor.shape for key, tensor in own.items()} == {key: tensor.shape for key, tensor in theirs.items()}


def test_it_computes_what_torchvisions_does() -> None:
    from torchvision.models import resnet18

    task = Task(("a", "b"), 3)
    own, theirs = ResNet18().build(PARAMS, task), resnet18(num_classes=2)
    theirs.load_state_dict(own.state_dict())
    images = torch.randn(2, 3, 48, 48)
    assert torch.equal(own.eval()(images), theirs.eval()(images))


def test_its_stages_one_after_the_other_are_the_network() -> None:
    model = ResNet18().build(PARAMS, GREY).eval()
    images = torch.randn(2, 1, 48, 48)
    assert torch.equal(torch.nn.Sequential(*ResNet18().stages(model))(images), model(images))


@pytest.fixture
def pretrained(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Stands in for the ImageNet weights: a network for RGB images and 1,000 classes."""
    torch.manual_seed(3)
    weights = ResNet18().build(PARAMS, Task(tuple(map(str, range(1000))), 3)).state_dict()
    monkeypatch.setattr(resnet, "imagenet", lambda name: dict(weights) if name == "resnet18" else {})
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
    with pytest.raises(FersearchError, match="--weights FILE") as messages:
        start_from(ResNet18(), ResNet18().build(PARAMS, GREY), "imagenet", PARAMS, GREY)
    assert "cannot download the ImageNet weights of resnet18" in messages.value.message
    assert "get resnet18-f37072fd.pth" in messages.value.hint


def test_dropout_acts_in_training_alone_and_renames_no_weight() -> None:
    model = ResNet18().build({"dropout": 0.5}, GREY)
    assert set(model.state_dict()) == set(ResNet18().build(PARAMS, GREY).state_dict())
    features = torch.ones(1, 512)
    model.train()
    assert not torch.equal(model.fc(features), model.fc(features))
    model.eval()
    assert torch.equal(model.fc(features), model.fc(features))
