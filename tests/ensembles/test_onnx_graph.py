"""The graph of an ensemble gives what its combination gives of the members' answers, in torch and in onnxruntime."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn

from fersearch import onnx_session
from fersearch.components import Task
from fersearch.ensembles.combination import METHODS, Combination
from fersearch.ensembles.model import RestoredEnsemble
from fersearch.ensembles.onnx_graph import EnsembleGraph
from fersearch.errors import UsageError
from fersearch.training.onnx_graph import Graph, write_graph

CLASSES, SIZE = 4, 6


@pytest.fixture(scope="module")
def members() -> list[Graph]:
    """Three linear models of small grey images, of different opinions."""
    torch.manual_seed(0)
    networks = [nn.Sequential(nn.Flatten(), nn.Linear(SIZE * SIZE, CLASSES)) for _ in range(3)]
    scale, shift = torch.full((1, 1, 1, 1), 1 / 64), torch.full((1, 1, 1, 1), -2.0)
    return [Graph(network, scale, shift).eval() for network in networks]


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 1, SIZE, SIZE), np.uint8)


@pytest.mark.parametrize("method", METHODS)
def test_the_file_gives_the_shares_of_the_combination(
    members: list[Graph], images: np.ndarray, method: str, tmp_path: Path
):
    turned = torch.from_numpy(images.transpose(0, 2, 3, 1).copy())
    with torch.no_grad():
        answers = np.stack([member(turned).numpy() for member in members])
    labels = np.random.default_rng(1).choice([0, 1, 3], len(images))  # no image of class 2 was seen
    combination = Combination.fit(method, (2, 1, 1), answers, labels)
    write_graph(EnsembleGraph(members, combination), (SIZE, 1), tmp_path / "model.onnx", {})
    shares = onnx_session.run(onnx_session.session_of(tmp_path / "model.onnx"), images)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, combination.shares(answers), atol=1e-6)


def test_members_of_other_inputs_are_refused_by_name(members: list[Graph]):
    task = Task(("a", "b"), 1, 48)
    ensemble = RestoredEnsemble(
        (Mock(task=task), Mock(task=replace(task, image_size=64))),
        Combination("mean", (1.0, 1.0)),
        {
            "members": [{"file": "1.safetensors"}, {"file": "2.safetensors"}],
            "class_names": task.class_names,
            "channels": 1,
            "image_size": 48,
        },
    )
    with pytest.raises(UsageError, match=r"2.safetensors takes 1 x 64 x 64 of 2 classes, the ensemble 1 x 48 x 48"):
        EnsembleGraph.of(ensemble)
