"""Weights that a network starts from: read from files, and fitted by name and shape."""

from pathlib import Path
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from safetensors.torch import save_file

from fersearch import Task, UsageError
from fersearch.errors import FersearchError
from fersearch.training.weights import start_from

TASK = Task(tuple("abcdefgh"))
PARAMS: dict[str, Any] = {"dropout": 0.1}


@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"state_dict": {f"module.{k}": v for k, v in w.items()}}])
def test_a_network_starts_from_a_torch_file(tmp_path: Path, wrap: Any) -> None:
    source, model = Cnn().build(PARAMS, TASK), Cnn().build(PARAMS, TASK)
    torch.save(wrap(source.state_dict()), tmp_path / "w.pt")
    start_from(Cnn(), model, str(tmp_path / "w.pt"), PARAMS, TASK)
    assert all(torch.equal(value, source.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_classifier_of_other_classes_stays_new_and_rgb_kernels_are_summed(tmp_path: Path) -> None:
    source = Cnn().build(PARAMS, Task(tuple("abc"), channels=3))
    save_file(source.state_dict(), tmp_path / "w.safetensors")
    model = Cnn().build(PARAMS, TASK)
    head = model.head.weight.detach().clone()
    start_from(Cnn(), model, str(tmp_path / "w.safetensors"), PARAMS, TASK)
    assert torch.equal(model.head.weight, head)
    assert torch.equal(model.conv1[0].weight, source.conv1[0].weight.sum(1, keepdim=True))
    assert torch.equal(model.fc1[1][0].weight, source.fc1[1][0].weight)


def test_weights_that_do_not_fit_are_listed(tmp_path: Path) -> None:
    source = Cnn().build({**PARAMS, "width": 2}, TASK).state_dict()
    del source["fc2.0.bias"]
    save_file(source, tmp_path / "w.safetensors")
    with pytest.raises(FersearchError, match=r"conv1.0.weight is 12x1x5x5, not 6x1x5x5; .* and \d+ more"):
        start_from(Cnn(), Cnn().build(PARAMS, TASK), str(tmp_path / "w.safetensors"), PARAMS, TASK)


def test_a_source_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="no such file, and cnn knows no source of that name"):
        start_from(Cnn(), Cnn().build(PARAMS, TASK), "imagenet", PARAMS, TASK)
