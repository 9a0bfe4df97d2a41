from pathlib import Path
from typing import Any

import pytest
import torch
from fersearch_architectures import vgg
from fersearch_architectures.vgg import Vgg, Vgg16, Vgg19

from fersearch import FersearchError, Task, UsageError
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta
from fersearch.training.weights import start_from

SEVEN = tuple("abcdefg")
PARAMS: dict[str, Any] = {"dropout": 0.0, "head": "compact", "batch_norm": False, "first_conv": "sum"}
SMALL = (Task(tuple("abcdefgh"), 1, 32),)


class TestVgg16(ArchitectureSuite):
    architecture = Vgg16()
    tasks = SMALL
    large = 14_720_000


class TestVgg19(ArchitectureSuite):
    architecture = Vgg19()
    tasks = SMALL
    large = 20_000_000


COUNTS = [
    (Vgg16(), 3, "classic", False, 33_625_927),
    (Vgg16(), 3, "gap", False, 14_718_279),
    (Vgg16(), 3, "compact", False, 14_718_279),
    (Vgg16(), 3, "torchvision", False, 134_289_223),
    (Vgg19(), 1, "torchvision", False, 139_597_767),
    (Vgg19(), 3, "torchvision", True, 139_609_927),
    (Vgg19(), 1, "compact", True, 20_037_831),
]


@pytest.mark.parametrize(("network", "channels", "head", "batch_norm", "weights"), COUNTS)
def test_it_has_the_documents_weights_at_48(
    network: Vgg, channels: int, head: str, batch_norm: bool, weights: int
) -> None:
    params = {**PARAMS, "head": head, "batch_norm": batch_norm}
    assert count_on_meta(network, params, Task(SEVEN, channels))["total"] == weights


@pytest.mark.parametrize(("channels", "weights"), [(3, 14_714_688), (1, 14_713_536)])
def test_vgg16s_features_have_the_thesiss_weights(channels: int, weights: int) -> None:
    with torch.device("meta"):
        stages = Vgg16().stages(Vgg16().build(PARAMS, Task(SEVEN, channels)))
    assert sum(weight.numel() for stage in stages[:-1] for weight in stage.parameters()) == weights


def test_without_a_choice_vgg19_is_compact_with_batch_norm() -> None:
    assert count_on_meta(Vgg19(), {"dropout": 0.5}, Task(SEVEN))["total"] == 20_037_831


@pytest.mark.parametrize("network", [Vgg16(), Vgg19()])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_its_weights_have_torchvisions_names_and_shapes(network: Vgg, batch_norm: bool) -> None:
    from torchvision import models

    with torch.device("meta"):
        params = {**PARAMS, "head": "torchvision", "batch_norm": batch_norm}
        own = network.build(params, Task(SEVEN, 3)).state_dict()
        theirs = models.get_model(f"{network.name}{'_bn' * batch_norm}", num_classes=7).state_dict()
    assert {key: tensor.shape for key, tensor in own.items()} == {key: tensor.shape for key, tensor in theirs.items()}


@pytest.mark.parametrize("head", ["compact", "gap"])
@pytest.mark.parametrize(("size", "inputs"), [(32, 512), (63, 512), (64, 2048)])
def test_the_compact_head_grows_with_the_map_and_the_pooled_one_does_not(head: str, size: int, inputs: int) -> None:
    with torch.device("meta"):
        model = Vgg16().build({**PARAMS, "head": head}, Task(SEVEN, 1, size))
        assert model(torch.zeros(1, 1, size, size)).shape == (1, 7)
    assert model.classifier[1].in_features == (inputs if head == "compact" else 512)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_its_stages_one_after_the_other_are_the_network(batch_norm: bool) -> None:
    model = Vgg16().build({**PARAMS, "batch_norm": batch_norm}, Task(SEVEN, 1, 32)).eval()
    images = torch.randn(2, 1, 32, 32)
    assert torch.equal(torch.nn.Sequential(*Vgg16().stages(model))(images), model(images))


def test_images_too_small_are_refused() -> None:
    with pytest.raises(UsageError, match="--image-size 32"):
        Vgg16().build(PARAMS, Task(SEVEN, 1, 24))


@pytest.mark.parametrize("head", ["compact", "gap", "classic", "torchvision"])
def test_dropout_acts_in_the_linear_layers(head: str) -> None:
    with torch.device("meta"):
        model = Vgg16().build({**PARAMS, "head": head, "dropout": 0.4}, Task(SEVEN))
    shares = [layer.p for layer in model.modules() if isinstance(layer, torch.nn.Dropout)]
    assert shares == [0.4] * (1 if head in ("compact", "gap") else 2)


@pytest.fixture
def pretrained(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """Stands in for the ImageNet weights of VGG-16: RGB images and 1,000 classes."""
    torch.manual_seed(3)
    features = Vgg16().build(PARAMS, Task(SEVEN, 3)).features.state_dict(prefix="features.")
    linear = {"classifier.0.weight": torch.zeros(1), "classifier.6.bias": torch.zeros(1000)}
    monkeypatch.setattr(vgg, "imagenet", lambda name: {**features, **linear} if name == "vgg16" else {})
    return dict(features)


@pytest.mark.parametrize("first_conv", ["sum", "random"])
def test_imagenet_weights_are_loaded_but_for_the_head(pretrained: dict[str, torch.Tensor], first_conv: str) -> None:
    params, task = {**PARAMS, "first_conv": first_conv}, Task(SEVEN)
    model = Vgg16().build(params, task)
    first, head = model.features[0].weight.detach().clone(), model.classifier[1].weight.detach().clone()
    start_from(Vgg16(), model, "imagenet", params, task)
    summed = pretrained["features.0.weight"].sum(1, keepdim=True)
    assert torch.equal(model.features[0].weight, summed if first_conv == "sum" else first)
    assert torch.equal(model.features[28].weight, pretrained["features.28.weight"])
    assert torch.equal(model.classifier[1].weight, head)


def test_with_batch_norm_the_weights_match_the_batch_norm_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []
    monkeypatch.setattr(vgg, "imagenet", lambda name: names.append(name) or {})
    params, task = {**PARAMS, "batch_norm": True}, Task(SEVEN, 1, 32)
    with pytest.raises(FersearchError, match="do not fit"):
        start_from(Vgg16(), Vgg16().build(params, task), "imagenet", params, task)
    assert names == ["vgg16_bn"]


def test_a_local_file_serves(pretrained: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(pretrained, tmp_path / "vgg16.pth")
    task = Task(SEVEN)
    model = Vgg16().build(PARAMS, task)
    start_from(Vgg16(), model, str(tmp_path / "vgg16.pth"), PARAMS, task)
    assert torch.equal(model.features[0].weight, pretrained["features.0.weight"].sum(1, keepdim=True))
