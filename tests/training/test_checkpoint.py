"""Checkpoints and weights: what is written is what is read, and nothing that is read is run."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from safetensors.torch import save_file

from fersearch import Task
from fersearch.errors import FersearchError
from fersearch.training.card import FORMAT
from fersearch.training.checkpoint import load_model, read_checkpoint, write_checkpoint
from fersearch.training.snapshots import States
from fersearch.training.stamp import Unusable
from fersearch.training.weights import read_weights
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
    result, tensors = read_checkpoint(path)
    assert result == CARD
    again = load_model(result, tensors, Cnn())
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


def test_weights_that_are_not_finite_are_refused() -> None:
    tensors = dict(Cnn().build(PARAMS, TASK).state_dict())
    tensors["head.bias"] = torch.full_like(tensors["head.bias"], float("nan"))
    with pytest.raises(FersearchError, match=r"the checkpoint's weights 'head.bias' are not finite"):
        load_model(CARD, tensors, Cnn())


def test_shapes_names_and_types_are_compared_before_a_network_is_made() -> None:
    tensors = dict(Cnn().build(PARAMS, TASK).state_dict())
    made: list[str] = []

    class Watched(Cnn):
        def build(self, params: Any, task: Task) -> Any:
            made.append(torch.empty(0).device.type)
            return super().build(params, task)

    for name, wrong, message in (
        ("head.bias", torch.zeros(9), "'head.bias' is float32 9, not float32 8"),
        ("head.bias", torch.zeros(8, dtype=torch.float64), "'head.bias' is float64 8, not float32 8"),
        ("more", torch.zeros(1), "'more' is not part of it"),
    ):
        with pytest.raises(FersearchError, match="do not fit architecture 'cnn'") as caught:
            load_model(CARD, {**tensors, name: wrong}, Watched())
        assert caught.value.hint == message
    assert made == ["meta"] * 3
    load_model(CARD, tensors, Watched())
    assert made[3:] == ["meta", "cpu"]


class Endless(Cnn):
    """A network that does not stop growing, and can only be built for real."""

    def build(self, params: Any, task: Task) -> Any:
        torch.zeros(1).item()
        model = torch.nn.Sequential()
        while True:
            model.append(torch.nn.Linear(2000, 2000) if params.get("heavy") else torch.nn.ReLU())


@pytest.mark.parametrize("heavy", [True, False])
def test_a_network_that_grows_beyond_its_file_is_stopped(heavy: bool) -> None:
    with pytest.raises(FersearchError) as caught:
        load_model(card(params={"heavy": heavy}), {"a": torch.ones(1)}, Endless())
    assert caught.value.hint == "it asks for far more weights than the file holds"


def test_an_architecture_that_misses_a_module_is_named_with_it() -> None:
    class Needy(Cnn):
        def build(self, params: Any, task: Task) -> Any:
            import no_such_library  # noqa: F401

    with pytest.raises(
        FersearchError, match="architecture 'cnn' cannot be built: it needs the module 'no_such_library'"
    ):
        load_model(CARD, {"a": torch.ones(1)}, Needy())


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    (tmp_path / "last.pt").write_bytes(pickle.dumps(Trap(mark)))
    torch.save({"a": Trap(mark)}, tmp_path / "weights.pt")
    with pytest.raises(Unusable, match="is damaged"):
        States(tmp_path).last()
    with pytest.raises(FersearchError, match="contain more than tensors"):
        read_weights(tmp_path / "weights.pt")
    assert not mark.exists()
