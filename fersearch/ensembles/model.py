"""A restored ensemble: a folder of checkpoints with the interface of a single one."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from fersearch.artifacts import file_digest
from fersearch.components import Evaluation, Metric, Task
from fersearch.data.arrays import Loaded
from fersearch.ensembles.combination import Combination, Stacker
from fersearch.errors import FersearchError
from fersearch.registry import Registry
from fersearch.training import measure
from fersearch.training.card import AGAIN, read_ensemble_card
from fersearch.training.checkpoint import Restored, task_of
from fersearch.training.evaluate import compute, confusion_matrix

STACKER = "stacking.safetensors"
CHUNK_BYTES = 2**26  # of images that are copied at a time
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class RestoredEnsemble:
    """The members of an ensemble with how they are combined, and its card; used as `Restored` is."""

    members: tuple[Restored, ...]
    combination: Combination
    card: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path, registry: Registry, device: str | None = None) -> "RestoredEnsemble":
        """Read the folder of an ensemble; on a GPU if there is one and no device is named.

        Raises:
            FersearchError: a file is missing or not the chosen one, or an architecture is not installed.
        """
        card = read_ensemble_card(folder)
        for member in card["members"]:
            _check(folder, member["file"], member["digest"])
        members = tuple(
            Restored.open(folder / Path(member["file"]).name, registry, device) for member in card["members"]
        )
        weights = tuple(float(member["weight"]) for member in card["members"])
        return cls(members, Combination(card["method"], weights, _stacker(folder, card)), card)

    @property
    def task(self) -> Task:
        """The task on which every member was trained."""
        return task_of(self.card)

    @property
    def batch_size(self) -> int:
        """The smallest batch size of its members."""
        return min(member.batch_size for member in self.members)

    @property
    def device(self) -> torch.device:
        """The device of its members."""
        return self.members[0].device

    def probabilities(self, images: Array, tta: str | None = None) -> Array:
        """Return class shares (float32, n x classes) of uint8 images (n, channels, size, size).

        Every member averages over the views of `tta`, by default those of its own trial.

        Raises:
            UnknownName: there is no such test-time augmentation.
        """
        return self.combination.shares(np.stack([member.probabilities(images, tta) for member in self.members]))

    def evaluate(
        self, loaded: Loaded, split: str, metrics: Mapping[str, Metric], tta: str | None = None
    ) -> tuple[dict[str, float], list[list[int]]]:
        """Return every predictive metric on a split, and the confusion matrix (true class by row), under `tta`."""
        rows = np.asarray(loaded.indices[split])
        labels = np.array(loaded.hard[rows])
        started = time.perf_counter()
        shares = self.combination.shares(
            np.stack([answers(member, loaded.images, rows, tta) for member in self.members])
        )
        evaluation = Evaluation(
            shares,
            labels,
            loaded.task.class_names,
            eval_seconds=time.perf_counter() - started,
            parameters=sum(measure.parameters(member.model) for member in self.members),
            model_bytes=sum(measure.model_bytes(member.model) for member in self.members),
        )
        predictive = {name: metric for name, metric in metrics.items() if not metric.measured}
        return compute(predictive, evaluation), confusion_matrix(shares, labels)


def answers(restored: Restored | RestoredEnsemble, images: Array, rows: Array, tta: str | None = None) -> Array:
    """Return the class shares (float32, len(rows) x classes) of some rows of mapped images, in
    batches."""
    step = max(1, CHUNK_BYTES // max(1, int(np.prod(images.shape[1:]))))
    parts = [rows[start : start + step] for start in range(0, len(rows), step)]
    return np.concatenate([restored.probabilities(images[part], tta) for part in parts])


def digest_of(combination: Combination, members: Sequence[str]) -> str:
    """Return the SHA-256 of an ensemble: its method, the digest and weight of each member, its stacker."""
    stacker = combination.stacker and hashlib.sha256(_packed(combination.stacker)).hexdigest()
    text = json.dumps([combination.method, list(members), list(combination.weights), stacker])
    return hashlib.sha256(text.encode()).hexdigest()


def write_stacker(folder: Path, combination: Combination) -> str | None:
    """Write the coefficients of a stacker, and return the SHA-256 of the file; None if the method needs none."""
    if combination.stacker is None:
        return None
    data = _packed(combination.stacker)
    (folder / STACKER).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _packed(stacker: Stacker) -> bytes:
    data: bytes = save({name: np.ascontiguousarray(value) for name, value in vars(stacker).items()})
    return data


def _check(folder: Path, name: str, digest: str) -> None:
    file = folder / Path(name).name
    if not file.is_file():
        raise FersearchError(f"ensemble {folder} lacks its member {name}", AGAIN)
    if file_digest(file) != digest:
        raise FersearchError(f"{file} is not the file that was chosen", AGAIN)


def _stacker(folder: Path, card: Mapping[str, Any]) -> Stacker | None:
    if card["method"] != "stacking":
        return None
    _check(folder, STACKER, card["stacker"])
    try:
        return Stacker(**load_file(folder / STACKER))
    except (SafetensorError, TypeError) as error:
        raise FersearchError(f"{folder / STACKER} holds no stacker", AGAIN) from error
