"""Maps the outputs of a model to the classes of a dataset that it was not trained on."""

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
    """The classes of a model and of a dataset, and which of them are the same.

    `answers[i]` is the index of the model's output for class i of the dataset, None where
    that class is left out.
    """

    model: tuple[str, ...]
    dataset: tuple[str, ...]
    answers: tuple[int | None, ...]

    @property
    def outputs(self) -> tuple[int, ...]:
        """The model's outputs that correspond to a class, in the model's order."""
        return tuple(sorted({output for output in self.answers if output is not None}))

    @property
    def class_names(self) -> tuple[str, ...]:
        """The shared classes, by the model's names and in its order."""
        return tuple(self.model[output] for output in self.outputs)

    @property
    def pairs(self) -> dict[str, str]:
        """The model's name of each shared class of the dataset."""
        named = zip(self.dataset, self.answers, strict=True)
        return {name: self.model[output] for name, output in named if output is not None}

    @property
    def left_out(self) -> tuple[str, ...]:
        """The classes of the dataset without an output."""
        return tuple(name for name, output in zip(self.dataset, self.answers, strict=True) if output is None)

    @property
    def spare(self) -> tuple[str, ...]:
        """The outputs of the model without a class of the dataset."""
        return tuple(name for k, name in enumerate(self.model) if k not in self.outputs)

    @property
    def whole(self) -> bool:
        """Whether every class and every output is shared."""
        return not self.left_out and not self.spare

    def labels(self, hard: Ints) -> Ints:
        """Return the correct output (int64, n) for each class index of the dataset; -1 where it is left out."""
        table = np.array([-1 if output is None else output for output in self.answers], np.int64)
        class_indices: Ints = table[hard]
        return class_indices

    def positions(self, labels: Ints) -> Ints:
        """Return the index (int64, n) among the shared classes of each shared output."""
        indices: Ints = np.searchsorted(np.array(self.outputs), labels)
        return indices

    def restricted(self, shares: Reals) -> Reals:
        """Return the class shares (float32, n x shared classes) of the shared outputs, each row scaled to sum 1."""
        selected = shares[:, list(self.outputs)].astype(np.float64)
        total = selected.sum(1, keepdims=True)
        even = np.full_like(selected, 1 / selected.shape[1])
        normalised: Reals = np.divide(selected, total, out=even, where=total > 0).astype(np.float32)
        return normalised


def cross(model: Sequence[str], dataset: Sequence[str], label_map: Mapping[str, str] | None = None) -> Crossing:
    """Match the classes of a dataset with those of a model: by `label_map`, else by name, else by canonical name.

    `label_map` maps classes of the dataset to classes of the model; an empty string leaves the class out.

    Raises:
        UsageError: fewer than two classes are shared, a given name is not a class, or a class fits several outputs.
    """
    mapped = {_named(name, dataset, "dataset"): _target(text, model) for name, text in (label_map or {}).items()}
    answers = tuple(mapped[k] if k in mapped else _answer(name, model) for k, name in enumerate(dataset))
    crossing = Crossing(tuple(model), tuple(dataset), answers)
    if len(crossing.outputs) < 2:
        count = "no class" if not crossing.outputs else f"only one class, {crossing.class_names[0]},"
        raise UsageError(
            f"dataset and checkpoint share {count} and two are needed",
            f"{class_lists(model, dataset)}\n  say which are the same: --map DATASET_CLASS=CHECKPOINT_CLASS",
        )
    return crossing


def class_lists(model: Sequence[str], dataset: Sequence[str]) -> str:
    """Return both lists of classes, for a hint."""
    return f"dataset: {', '.join(dataset)}\n  checkpoint: {', '.join(model)}"


def _target(text: str, model: Sequence[str]) -> int | None:
    return _named(text, model, "checkpoint") if text else None


def _named(text: str, names: Sequence[str], owner: str) -> int:
    matches = _matches(text, names)
    if len(matches) != 1:
        hint = suggestion(text, names).replace("known:", f"classes of the {owner}:")
        raise UsageError(f"the {owner} has no class '{text}'", hint)
    return matches[0]


def _answer(name: str, model: Sequence[str]) -> int | None:
    matches = _matches(name, model)
    if len(matches) > 1:
        fits = " and ".join(model[k] for k in matches)
        raise UsageError(
            f"class '{name}' of the dataset fits {fits}", f"say which with --map {name}={model[matches[0]]}"
        )
    return matches[0] if matches else None


def _matches(text: str, names: Sequence[str]) -> list[int]:
    """Return the indices of the names that are the same text, else the same plain text, else the same emotion."""
    emotion = known(text)
    for same in (
        [k for k, name in enumerate(names) if name == text],
        [k for k, name in enumerate(names) if plain(name) == plain(text)],
        [k for k, name in enumerate(names) if emotion is not None and known(name) == emotion],
    ):
        if same:
            return same
    return []
