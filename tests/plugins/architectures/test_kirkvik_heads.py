from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch
from fersearch_architectures.kirkvik_heads import ResNet50Kirkvik, Vgg16Kirkvik
from torchvision import models

from fersearch import Architecture, FersearchError, Task, UsageError
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta
from fersearch.training.weights import start_from

PARAMS: dict[str, Any] = {"dropout": 0.2}
SEVEN = Task(tuple("abcdefg"))


class TestVgg16Kirkvik(ArchitectureSuite):
    architecture = Vgg16Kirkvik()
    tasks = (Task(tuple("abcdefgh"), 1, 32), Task(("yes", "no"), 3, 33))


class TestResNet50Kirkvik(ArchitectureSuite):
    architecture = ResNet50Kirkvik()
    tasks = (Task(tuple("abcdefgh"), 1, 32), Task(("yes", "no"), 3, 33))


@pytest.mark.parametrize(
    ("architecture", "head", "total"),
    [(Vgg16Kirkvik(), 6_500_743, 21_215_431), (ResNet50Kirkvik(), 4_198_407, 27_706_439)],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_frozen_backbone_leaves_the_documents_head_to_train(
    architecture: Architecture, head: int, total: int, channels: int
) -> None:
    counts = count_on_meta(architecture, {**PARAMS, "freeze": "all_but_last"}, Task(tuple("abcdefg"), channels))
    assert counts == {"total": total, "trainable": head}


def torchvisions(name: str) -> dict[str, torch.Tensor]:
    """A state dict of torchvision's names and shapes, each tensor one number; of little size on disk."""
    with torch.device("meta"):
        state = models.get_model(name).state_dict()
    return {key: torch.full((), 0.001 * n).expand(tensor.shape) for n, (key, tensor) in enumerate(state.items())}


@pytest.mark.parametrize(
    ("architecture", "name", "own"),
    [(Vgg16Kirkvik(), "vgg16", "features."), (ResNet50Kirkvik(), "resnet50", "")],
)
@pytest.mark.parametrize("named", [True, False])
def test_torchvisions_weights_fill_the_backbone(
    architecture: Any, name: str, own: str, named: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    weights_given, source = torchvisions(name), "imagenet" if named else str(tmp_path / "weights.pth")
    torch.save(weights_given, tmp_path / "weights.pth")
    monkeypatch.setattr(models.WeightsEnum, "get_state_dict", lambda *_, **__: weights_given)
    model = architecture.build(PARAMS, SEVEN)
    before = {key: tensor.clone() for key, tensor in model.head.state_dict().items()}
    start_from(architecture, model, source, PARAMS, SEVEN)
    after = {key: tensor for key, tensor in model.state_dict().items() if not key.startswith("head.")}
    known = {key for key in weights_given if key.startswith(own) and not key.startswith("fc.")}
    assert set(after) == known
    counters = {key for key in known if key.endswith("num_batches_tracked")}
    assert all(torch.equal(after[key], weights_given[key]) for key in known - counters)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.head.state_dict().items())


@pytest.mark.parametrize("architecture", [Vgg16Kirkvik(), ResNet50Kirkvik()])
def test_a_grey_image_is_what_it_is_in_three_channels(architecture: Any) -> None:
    torch.manual_seed(0)
    grey = architecture.build(PARAMS, Task(("a", "b"), 1, 32)).eval()
    rgb = architecture.build(PARAMS, Task(("a", "b"), 3, 32)).eval()
    rgb.load_state_dict(grey.state_dict())
    images = torch.randn(2, 1, 32, 32)
    with torch.inference_mode():
        assert torch.equal(grey(images), rgb(images.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize("architecture", [Vgg16Kirkvik(), ResNet50Kirkvik()])
def test_the_stages_one_after_the_other_are_the_network(architecture: Any) -> None:
    model = architecture.build(PARAMS, Task(("a", "b"), 1, 32)).eval()
    images = torch.randn(2, 1, 32, 32)
    features, head = architecture.stages(model)
    with torch.inference_mode():
        assert torch.equal(head(features(images)), model(images))


@pytest.mark.parametrize(
    ("architecture", "file"),
    [(Vgg16Kirkvik(), "vgg16-397923af.pth"), (ResNet50Kirkvik(), "resnet50-0676ba61.pth")],
)
def test_weights_that_cannot_be_downloaded_point_to_a_local_file(
    architecture: Any, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise URLError("no network")

    monkeypatch.setattr(models.WeightsEnum, "get_state_dict", fail)
    with pytest.raises(FersearchError, match="--weights FILE") as messages:
        start_from(architecture, torch.nn.Identity(), "imagenet", PARAMS, SEVEN)
    assert f"get {file} from" in messages.value.hint


def test_vgg_refuses_an_image_that_is_too_small() -> None:
    with pytest.raises(UsageError, match="--image-size 32"):
        Vgg16Kirkvik().build(PARAMS, Task(("a", "b"), 1, 31))


@pytest.mark.parametrize("size", [1, 31, 32, 33, 40, 65])
def test_resnet_takes_any_image_size(size: int) -> None:
    model = ResNet50Kirkvik().build(PARAMS, Task(("a", "b"), 1, size)).eval()
    with torch.inference_mode():
        assert model(torch.randn(1, 1, size, size)).shape == (1, 2)
