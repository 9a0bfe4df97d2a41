"""Every first-party architecture becomes an ONNX file that answers as the model does, for batches of any size."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fersearch import onnx_session, registry
from fersearch.components import trained_task
from fersearch.export import checks
from fersearch.recipe import recipe
from fersearch.registry import Registry
from fersearch.space import values_of
from fersearch.training.checkpoint import Restored, task_of
from fersearch.training.onnx_graph import Graph, metadata_of, write_graph

pytestmark = pytest.mark.slow

TIMM = ("timm:mobilenetv3_small_100", "timm:efficientnet_b0", "timm:vit_tiny_patch16_224")
COLOUR = ("resnet50", "vgg16", "kirkvik", *TIMM)
LARGE = {"timm:vit_tiny_patch16_224": 224}
SIBLINGS = ("ensemble_mean", "ensemble_stack", "resnet101", "resnet34", "vgg19")
"""Of the same family as others here, and slow: by hand, `pytest -m long`."""
NAMES = sorted({name for name in registry.load((), None).architectures if not name.startswith("timm")} | set(TIMM))


@pytest.fixture(scope="module")
def components() -> Registry:
    return registry.load((), None)


def restored(components: Registry, name: str) -> Restored:
    """A model of the smallest configuration, its weights drawn, with a card."""
    architecture, dataset = components.architecture(name), components.dataset("faces")
    space = recipe(architecture, dataset, pretrained=False).narrowed({})
    params: dict[str, Any] = {}
    for key, dimension in space.active(params):
        params[key] = dimension.low if hasattr(dimension, "low") else values_of(dimension)[0]
    params |= {"tta": "flip"} if name == "cnn" else {}
    colour = any(word in name for word in COLOUR)
    card: dict[str, Any] = {
        "architecture": name,
        "params": params,
        "class_names": ["anger", "fear", "neutral"],
        "channels": 3 if colour else 1,
        "image_size": LARGE.get(name, 48),
        "mean": [0.4] * (3 if colour else 1),
        "std": [0.25] * (3 if colour else 1),
        "precision": "float32",
        "dataset": {"name": "faces"},
        "licence": "",
        "study": "s",
        "trial": 0,
        "steps": None,
    }
    torch.manual_seed(0)
    model = architecture.build(params, trained_task(task_of(card), params)).eval()
    return Restored(model, card, torch.device("cpu"))


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.long] * (name in SIBLINGS)) for name in NAMES])
def test_it_answers_as_the_model_does(components: Registry, name: str, tmp_path: Path) -> None:
    one = restored(components, name)
    file = tmp_path / "model.onnx"
    size, channels = one.card["image_size"], one.card["channels"]
    write_graph(Graph.of(one), (size, channels), file, metadata_of(one.card, "ab" * 32), name)
    session = onnx_session.session_of(file)
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == one.card["class_names"]
    images = np.random.default_rng(1).integers(0, 256, (5, channels, size, size), np.uint8)
    expected = one.probabilities(images)
    for count in (1, 5):
        result = checks.parity(expected[:count], onnx_session.run(session, images[:count]), "generated")
        assert result.max_difference < 1e-5
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]  # no data beside it
