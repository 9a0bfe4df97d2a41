"""Checkpoints and weights: what is written is what is read, and nothing that is read is run."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from safetensors.torch import save_file

from fersearch import Task, UsageError
from fersearch.errors import FersearchError
from fersearch.training.card import FORMAT
from fersearch.training.checkpoint import load_model, read_checkpoint, write_checkpoint
from fersearch.training.stamp import Unusable
from fersearch.training.states import States
from fersearch.training.weights import read_weights, start_from
from tests.cards import card

TASK = Task(tuple("abcdefgh"))
PARAMS: dict[str, Any] = {"dropout": 0.1}
CARD = card(params=PARAMS)


class Trap:
    """A pickle that would run something."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_checkpoint_gives_back_the_model(tmp_path: Path) -> None:
    model = Cnn().build(PARAMS, TASK).eval()
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, model.state_dict(), CARD)
    found, tensors = read_checkpoint(path)
    assert found == CARD
    again = load_model(found, tensors, Cnn())
    images = torch.randn(2, 1, 48, 48)
    assert torch.equal(again(images), model(images))


def test_tied_weights_are_written_too(tmp_path: Path) -> None:
    one = torch.randn(3, 3)
    write_checkpoint(tmp_path / "tied", {"a": one, "b": one.T}, CARD)
    tensors = read_checkpoint(tmp_path / "tied")[1]
    assert torch.equal(tensors["a"], tensors["b"].T)


def test_other_files_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    save_file({"a": torch.ones(1)}, tmp_path / "plain.safetensors")
    for name in ("short", "plain.safetensors"):
        with pytest.raises(FersearchError, match=f"{name} is not a checkpoint of fersearch"):
            read_checkpoint(tmp_path / name)
    with pytest.raises(FersearchError, match="No such file"):
        read_checkpoint(tmp_path / "missing")


def test_a_checkpoint_of_a_newer_fersearch_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "new", {"a": torch.ones(1)}, {**CARD, "format": FORMAT + 1})
    with pytest.raises(FersearchError, match="newer fersearch"):
        read_checkpoint(tmp_path / "new")


def test_weights_of_another_architecture_do_not_load_as_a_checkpoint() -> None:
    with pytest.raises(FersearchError, match="do not fit architecture 'cnn'"):
        load_model(CARD, {"a": torch.ones(1)}, Cnn())


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "last.pt").write_bytes(pickle.dumps(Trap(mark)))
    torch.save({"a": Trap(mark)}, tmp_path / "weights.pt")
    with pytest.raises(Unusable, match="is damaged"):
        States(tmp_path).last()
    with pytest.raises(FersearchError, match="hold more than tensors"):
        read_weights(tmp_path / "weights.pt")
    assert not mark.exists()


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
