"""Crossing: which outputs of a model answer which classes of a dataset that it was not trained on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fersearch.data.labels import known, plain
from fersearch.errors import UsageError, suggestion

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Crossing:
    """The classes of a model and of a dataset, and which of them are one.

    `answers[i]` is the index of the model's output that answers class i of the dataset, None where
    that class is left out.
    """

    model: tuple[str, ...]
    dataset: tuple[str, ...]
    answers: tuple[int | None, ...]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The model's outputs that answer a class, in the model's order."""
        return tuple(sorted({output for output in self.answers if output is not None}))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The shared classes, in the model's words and order."""
        return tuple(self.model[output] for output in self.outputs)

    @property
    def pairs(self) -> dict[str, str]:
        """The model's word for each class of the dataset that is shared."""
        named = zip(self.dataset, self.answers, strict=True)
        return {name: self.model[output] for name, output in named if output is not None}

    @property
    def left_out(self) -> tuple[str, ...]:
        """The classes of the dataset that no output answers."""
        return tuple(name for name, output in zip(self.dataset, self.answers, strict=True) if output is None)

    @property
    def spare(self) -> tuple[str, ...]:
        """The outputs of the model that answer no class of the dataset."""
        return tuple(name for k, name in enumerate(self.model) if k not in self.outputs)

    @property
    def whole(self) -> bool:
        """Whether every class and every output is shared."""
        return not self.left_out and not self.spare

    def labels(self, hard: Ints) -> Ints:
        """Return the output (int64, n) that is right for each class index of the dataset; -1 where it is left out."""
        table = np.array([-1 if output is None else output for output in self.answers], np.int64)
        found: Ints = table[hard]
        return found

    def positions(self, labels: Ints) -> Ints:
        """Return the place (int64, n) among the shared classes of outputs that are shared."""
        found: Ints = np.searchsorted(np.array(self.outputs), labels)
        return found

    def restricted(self, shares: Reals) -> Reals:
        """Return class shares (float32, n x shared classes) where no other output may be the answer; each row sums
        to 1."""
        kept = shares[:, list(self.outputs)].astype(np.float64)
        total = kept.sum(1, keepdims=True)
        even = np.full_like(kept, 1 / kept.shape[1])
        found: Reals = np.divide(kept, total, out=even, where=total > 0).astype(np.float32)
        return found


def cross(model: Sequence[str], dataset: Sequence[str], given: Mapping[str, str] | None = None) -> Crossing:
    """Match the classes of a dataset with those of a model: as `given` says, else by name, else by canonical word.

    `given` maps classes of the dataset to classes of the model; an empty text leaves the class out.

    Raises:
        UsageError: fewer than two classes are shared, a given name is not a class, or a class fits several outputs.
    """
    asked = {_named(name, dataset, "dataset"): _target(text, model) for name, text in (given or {}).items()}
    answers = tuple(asked[k] if k in asked else _answer(name, model) for k, name in enumerate(dataset))
    found = Crossing(tuple(model), tuple(dataset), answers)
    if len(found.outputs) < 2:
        count = "no class" if not found.outputs else f"only one class, {found.class_names[0]},"
        raise UsageError(
            f"dataset and checkpoint share {count} and two are needed",
            f"{told(model, dataset)}\n  say which classes are one with --map DATASET_CLASS=CHECKPOINT_CLASS",
        )
    return found


def told(model: Sequence[str], dataset: Sequence[str]) -> str:
    """Both lists of classes, for a hint."""
    return f"dataset: {', '.join(dataset)}\n  checkpoint: {', '.join(model)}"


def _target(text: str, model: Sequence[str]) -> int | None:
    return _named(text, model, "checkpoint") if text else None


def _named(text: str, names: Sequence[str], whose: str) -> int:
    found = _matches(text, names)
    if len(found) != 1:
        hint = suggestion(text, names).replace("known:", f"classes of the {whose}:")
        raise UsageError(f"the {whose} has no class '{text}'", hint)
    return found[0]


def _answer(name: str, model: Sequence[str]) -> int | None:
    found = _matches(name, model)
    if len(found) > 1:
        fits = " and ".join(model[k] for k in found)
        raise UsageError(f"class '{name}' of the dataset fits {fits}", f"say which with --map {name}={model[found[0]]}")
    return found[0] if found else None


def _matches(text: str, names: Sequence[str]) -> list[int]:
    """Return the indices of the names that are the same text, else the same plain text, else the same emotion."""
    word = known(text)
    for same in (
        [k for k, name in enumerate(names) if name == text],
        [k for k, name in enumerate(names) if plain(name) == plain(text)],
        [k for k, name in enumerate(names) if word is not None and known(name) == word],
    ):
        if same:
            return same
    return []
