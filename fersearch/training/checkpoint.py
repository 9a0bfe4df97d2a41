"""Finished checkpoints: a safetensors file whose metadata holds its card, and the model restored from it."""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

import fersearch
from fersearch.components import Architecture, Evaluation, Metric, Task, trained_task
from fersearch.data.arrays import Loaded
from fersearch.errors import FersearchError
from fersearch.registry import Registry
from fersearch.training import latency, measure
from fersearch.training.augment import as_evaluated
from fersearch.training.batches import Pixels
from fersearch.training.card import FORMAT, KEY, PULL, read_card
from fersearch.training.evaluate import compute, confusion_matrix, predict, probabilities, validate
from fersearch.training.losses import criterion
from fersearch.training.memory_format import MemoryFormat, arrange, resolve_format
from fersearch.training.numerics import resolve
from fersearch.training.request import TrialRequest
from fersearch.training.restore import rebuild
from fersearch.training.rounds import Round
from fersearch.training.snapshots import write_whole


def make_card(
    request: TrialRequest,
    loaded: Loaded,
    round: Round,
    values: Mapping[str, float],
    precision: str,
    memory_format: MemoryFormat = "contiguous",
) -> dict[str, Any]:
    """Return the card of the kept epoch of a trial's best round, as plain data; `values` that are not finite are
    None."""
    finite = {name: value if np.isfinite(value) else None for name, value in values.items()}
    return {
        "format": FORMAT,
        "study": request.study,
        "study_id": request.study_uid,
        "trial": request.number,
        "epoch": round.kept_epoch,
        "round": round.number,
        "architecture": request.architecture,
        "params": dict(request.params),
        "class_names": list(loaded.task.class_names),
        "channels": loaded.task.channels,
        "image_size": loaded.task.image_size,
        "mean": [float(value) for value in loaded.mean],
        "std": [float(value) for value in loaded.std],
        "precision": precision,
        "memory_format": memory_format,
        "dataset": {
            "name": request.dataset,
            "digest": loaded.digest,
            "options": dict(request.dataset_options),
            "target": loaded.target,
            "limit": request.limit,
        },
        "steps": loaded.steps,
        "data": loaded.identity.unplaced.to_json(),
        "licence": loaded.licence,
        "protocol": request.to_json()["protocol"],
        "seed": request.seed,
        "weights": request.weights,
        "metrics": finite,
        "plugins": [file.entry for file in request.plugins],
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that the weights were trained with."""
    return {
        "fersearch": fersearch.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
    }


def write_checkpoint(path: Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> None:
    """Write weights and card as one file.

    Raises:
        DiskFull: there is no room; no half file stays.
    """
    whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_whole(path, save(whole, {KEY: json.dumps(card)}))


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the card and the weights (on the CPU) of a checkpoint file.

    Raises:
        FersearchError: the file is missing, or not a checkpoint of fersearch.
    """
    card = read_card(path)
    try:
        return card, load(path.read_bytes())
    except OSError as error:
        raise FersearchError(f"cannot read checkpoint {path}: {error.strerror}") from error
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise FersearchError(f"{path} is not a checkpoint of fersearch: its weights cannot be read", PULL) from error


def task_of(card: Mapping[str, Any]) -> Task:
    """Return the task of a checkpoint; its network may see a crop of each image (`trained_task`)."""
    return Task(tuple(card["class_names"]), int(card["channels"]), int(card["image_size"]))


def load_model(card: Mapping[str, Any], tensors: Mapping[str, Tensor], architecture: Architecture) -> nn.Module:
    """Return the model of a checkpoint, in evaluation mode on the CPU: normalised images to logits.

    Raises:
        FersearchError: the weights do not fit the architecture, or are not finite.
    """
    params = card["params"]
    return rebuild(
        lambda: architecture.build(params, trained_task(task_of(card), params)),
        tensors,
        f"architecture '{architecture.name}'",
    )


@dataclass(frozen=True)
class Restored:
    """A model with its card, on a device, in evaluation mode."""

    model: nn.Module
    card: Mapping[str, Any]
    device: torch.device

    @classmethod
    def open(cls, path: Path, registry: Registry, device: str | None = None) -> "Restored":
        """Read a checkpoint file and build its model, by default on a GPU if there is one.

        Raises:
            FersearchError: the file is not a checkpoint, or its architecture is not here.
        """
        card, tensors = read_checkpoint(path)
        model = load_model(card, tensors, registry.architecture(card["architecture"]))
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(arrange(model.to(place), _format(card)), card, place)

    @property
    def task(self) -> Task:
        """The task that the model was trained for."""
        return task_of(self.card)

    @property
    def batch_size(self) -> int:
        """The batch size of its trial."""
        return int(self.card["params"].get("batch_size", 64))

    def probabilities(self, images: "np.ndarray[Any, Any]", tta: str | None = None) -> "np.ndarray[Any, Any]":
        """Return class shares (float32, n x classes) of uint8 images (n, channels, size, size).

        They are averaged over the views of `tta` (none, flip, five_crop or ten_crop); without one over those
        of the trial.

        Raises:
            UnknownName: there is no such test-time augmentation.
        """
        pixels = self._pixels(images)
        rows = pixels.rows(np.arange(len(images)))
        return probabilities(predict(self.judged(tta), pixels, rows, self.batch_size, self._precision))

    def evaluate(
        self, loaded: Loaded, split: str, metrics: Mapping[str, Metric], tta: str | None = None
    ) -> tuple[dict[str, float], list[list[int]]]:
        """Return every predictive metric on a split, and the confusion matrix (true class by row), under `tta`."""
        pixels = self._pixels(loaded.images)
        loss_of = criterion(self.card["params"])
        validation = validate(self.judged(tta), loaded, pixels, split, self.batch_size, loss_of, self._precision)
        evaluation = Evaluation(
            validation.probabilities,
            validation.labels,
            loaded.task.class_names,
            eval_seconds=validation.seconds,
            parameters=measure.parameters(self.model),
            model_bytes=measure.model_bytes(self.model),
        )
        predictive = {name: metric for name, metric in metrics.items() if not metric.measured}
        return compute(predictive, evaluation), confusion_matrix(validation.probabilities, validation.labels)

    def judged(self, tta: str | None = None) -> nn.Module:
        """Return the model as it is evaluated: from normalised images of the dataset's size to logits."""
        return as_evaluated(self.model, self.card["params"], tta)

    def latency(
        self, threads: int, prepare: latency.Prepare = latency.in_torch, quiet: latency.Quiet = latency.alone
    ) -> latency.SteadyLatency | None:
        """Measure the latency of one image with `threads` CPU threads, in a turn of `quiet`; None if it gives none."""
        task = self.task
        pixels = self._pixels(np.zeros((1, task.channels, task.image_size, task.image_size), np.uint8))
        with latency.threads(threads), prepare(self.judged(), pixels) as once:
            return quiet(lambda most: latency.steady_latency(once, most=most))

    def _pixels(self, images: "np.ndarray[Any, Any]") -> Pixels:
        return Pixels.of(images, self.card["mean"], self.card["std"], self.device, _format(self.card))

    @property
    def _precision(self) -> Any:
        return resolve(str(self.card.get("precision", "float32")), self.device)


def _format(card: Mapping[str, Any]) -> MemoryFormat:
    """Return the memory format of a card; contiguous for cards of earlier versions, which have none."""
    return resolve_format(str(card.get("memory_format", "contiguous")))
