import socket
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
import timm
import torch
from fersearch_architectures import _timm
from fersearch_architectures.timm_models import Timm, TimmModel, named
from safetensors.torch import save_file

from fersearch import FersearchError, Task, UsageError, registry
from fersearch.errors import UnknownName
from fersearch.testing import ArchitectureSuite
from fersearch.training.summary import count_on_meta
from fersearch.training.weights import start_from

PARAMS: dict[str, Any] = {"dropout": 0.0}
GREY = Task(("a", "b"), 1, 32)


class TestResNet10t(ArchitectureSuite):
    architecture = named("resnet10t")
    tasks = (Task(tuple("abcdefgh"), 1, 32), Task(("yes", "no"), 3, 48))


class TestMobileNetV3(ArchitectureSuite):
    architecture = named("mobilenetv3_small_050")
    tasks = (Task(tuple("abcdefgh"), 1, 48),)


class TestVitTiny(ArchitectureSuite):
    architecture = named("vit_tiny_patch16_224")
    tasks = (Task(tuple("abcdefgh"), 1, 48),)


class TestEfficientNetB0(ArchitectureSuite):
    architecture = named("efficientnet_b0")
    tasks = (Task(tuple("abcdefgh"), 1, 48),)
    large = 1_000_000


class TestDistilledDeit(ArchitectureSuite):
    """Two classifiers."""

    architecture = named("deit_tiny_distilled_patch16_224")
    tasks = (Task(tuple("abcdefgh"), 1, 32),)
    large = 1_000_000


class TestCoat(ArchitectureSuite):
    """Stages that share weights."""

    architecture = named("coat_lite_tiny")
    tasks = (Task(tuple("abcdefgh"), 1, 32),)
    large = 1_000_000


STAGES = {
    "resnet10t": ("act1", "layer1", "layer2", "layer3", "layer4", "head"),
    "convnext_atto": ("stages.0", "stages.1", "stages.2", "stages.3", "neck", "head"),
    "test_vit": (*(f"blocks.{depth}" for depth in range(6)), "neck", "head"),
    "twins_pcpvt_small": ("features", "head"),
}


@pytest.mark.parametrize("name", STAGES)
def test_its_stages_are_its_features_stages(name: str) -> None:
    assert named(name).stage_names == STAGES[name]


def test_its_last_stage_is_the_classifier_alone() -> None:
    counted = count_on_meta(named("resnet10t"), {**PARAMS, "freeze": "all_but_last"}, Task(tuple("abcdefg")))
    assert counted["trainable"] == 512 * 7 + 7


def test_its_first_stage_holds_the_stem_with_what_stands_loose() -> None:
    model = named("test_vit").build(PARAMS, Task(("a", "b"), 3, 48))
    first = {id(weight) for weight in named("test_vit").stages(model)[0].parameters()}
    assert {id(model.cls_token), id(model.pos_embed), id(model.patch_embed.proj.weight)} <= first


def test_the_image_size_is_reported_to_a_model_that_needs_it() -> None:
    model = named("vit_tiny_patch16_224").build(PARAMS, Task(("a", "b"), 1, 48))
    assert model.patch_embed.img_size == (48, 48)
    assert model.pos_embed.shape == (1, 1 + 9, 192)


def test_dropout_is_the_recipes() -> None:
    assert named("resnet10t").build({"dropout": 0.3}, GREY).drop_rate == 0.3


def test_a_model_without_dropout_gets_one_before_its_classifier() -> None:
    network = named("resnet10t")
    without = TimmModel("resnet10t")
    without.refused = network.refused | {"drop_rate"}
    model, features = without.build({"dropout": 0.5}, GREY), torch.ones(1, 512)
    assert model.drop_rate == 0
    assert not torch.equal(model.train().fc(features), model.fc(features))
    assert torch.equal(model.eval().fc(features), model.fc(features))


def test_an_image_size_that_a_model_cannot_take_is_refused_with_its_own() -> None:
    with pytest.raises(UsageError, match="timm:inception_v4 cannot take images of 32x32") as messages:
        count_on_meta(named("inception_v4"), PARAMS, GREY)
    assert "--image-size 299" in messages.value.hint


def test_an_unknown_model_is_reported_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="timm has no model 'resnet10'") as messages:
        Timm().variant("resnet10")
    assert "timm:resnet101" in messages.value.hint


def test_an_unknown_tag_is_reported_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="nonsense") as messages:
        Timm().variant("resnet10t.nonsense")
    assert "timm:resnet10t.c3_in1k" in messages.value.hint


def test_a_model_without_a_classifier_is_refused() -> None:
    with pytest.raises(UsageError, match="not a classifier"):
        Timm().variant("mobilenetv5_300m_enc")


def test_the_family_alone_is_no_network() -> None:
    result = registry.load()
    with pytest.raises(UnknownName, match="timm is a family") as messages:
        result.architecture("timm")
    assert "timm:resnet10t" in messages.value.hint
    assert result.architecture("timm:resnet10t").name == "timm:resnet10t"


@pytest.fixture
def pretrained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, torch.Tensor]:
    """Stands in for the weights in the hub's cache: those of an RGB network of 1,000 classes."""
    torch.manual_seed(3)
    weights: dict[str, torch.Tensor] = timm.create_model("resnet10t", num_classes=1000).state_dict()
    save_file(weights, tmp_path / "model.safetensors")
    monkeypatch.setattr(_timm, "try_to_load_from_cache", lambda _, name: str(tmp_path / name))
    return weights


def test_pretrained_weights_come_from_the_cache_but_for_the_classifier(pretrained: dict[str, torch.Tensor]) -> None:
    model = named("resnet10t").build(PARAMS, GREY)
    head = model.fc.weight.detach().clone()
    start_from(named("resnet10t"), model, "imagenet", PARAMS, GREY)
    assert torch.equal(model.conv1[0].weight, pretrained["conv1.0.weight"].sum(1, keepdim=True))
    assert torch.equal(model.layer4[0].conv2.weight, pretrained["layer4.0.conv2.weight"])
    assert torch.equal(model.fc.weight, head)


def test_a_local_file_serves(pretrained: dict[str, torch.Tensor], tmp_path: Path) -> None:
    model = named("resnet10t").build(PARAMS, GREY)
    start_from(named("resnet10t"), model, str(tmp_path / "model.safetensors"), PARAMS, GREY)
    assert torch.equal(model.layer1[0].conv1.weight, pretrained["layer1.0.conv1.weight"])


def test_without_a_network_the_error_says_which_file_to_get(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise URLError(socket.gaierror("no such host"))

    monkeypatch.setattr(_timm, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(_timm, "urlopen", unreachable)
    with pytest.raises(FersearchError, match="cannot download the weights of timm:resnet10t") as messages:
        start_from(named("resnet10t"), named("resnet10t").build(PARAMS, GREY), "imagenet", PARAMS, GREY)
    assert "timm/resnet10t.c3_in1k" in messages.value.hint
    assert "--weights FILE" in messages.value.hint


def test_a_hub_that_answers_with_an_error_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise HTTPError("https://hub", 405, "not so", {}, None)  # type: ignore[arg-type]

    monkeypatch.setattr(_timm, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(_timm, "urlopen", refusing)
    assert _timm.at_hand("timm:resnet10t", named("resnet10t").pretrained) == {}
