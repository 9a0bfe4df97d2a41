"""A finished checkpoint at work: the model it holds, what it says about images, how good it is on a split."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from fersearch.components import Evaluation, Metric, Task
from fersearch.data.arrays import Loaded
from fersearch.registry import Registry
from fersearch.training import measure
from fersearch.training.batches import Pixels
from fersearch.training.checkpoint import load_model, read_checkpoint, task_of
from fersearch.training.evaluate import compute, confusion_matrix, judge, predict, probabilities
from fersearch.training.losses import criterion
from fersearch.training.precision import resolve
from fersearch.training.tta import as_judged


@dataclass(frozen=True)
class Restored:
    """A model with its card, on a device, in evaluation mode."""

    model: nn.Module
    card: Mapping[str, Any]
    device: torch.device

    @classmethod
    def open(cls, path: Path, registry: Registry, device: str | None = None) -> "Restored":
        """Read a checkpoint file and build its model; on a GPU if there is one and no device is named.

        Raises:
            FersearchError: the file is no checkpoint, or its architecture is not here.
        """
        card, tensors = read_checkpoint(path)
        model = load_model(card, tensors, registry.architecture(card["architecture"]))
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(model.to(place), card, place)

    @property
    def task(self) -> Task:
        """What the model was trained to do."""
        return task_of(self.card)

    @property
    def batch_size(self) -> int:
        """The batch size of its trial."""
        return int(self.card["params"].get("batch_size", 64))

    def probabilities(self, images: "np.ndarray[Any, Any]", tta: str | None = None) -> "np.ndarray[Any, Any]":
        """Class shares (float32, n x classes) of uint8 images (n, channels, size, size).

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
        """Every predictive metric on a split, and the confusion matrix (true class by row), under `tta`."""
        pixels = self._pixels(loaded.images)
        loss_of = criterion(self.card["params"])
        judged = judge(self.judged(tta), loaded, pixels, split, self.batch_size, loss_of, self._precision)
        evaluation = Evaluation(
            judged.probabilities,
            judged.labels,
            loaded.task.class_names,
            eval_seconds=judged.seconds,
            parameters=measure.parameters(self.model),
            model_bytes=measure.model_bytes(self.model),
        )
        told = {name: metric for name, metric in metrics.items() if not metric.measured}
        return compute(told, evaluation), confusion_matrix(judged.probabilities, judged.labels)

    def judged(self, tta: str | None = None) -> nn.Module:
        """The model as it is judged: from normalised images of the dataset's size to logits."""
        return as_judged(self.model, self.card["params"], tta)

    def _pixels(self, images: "np.ndarray[Any, Any]") -> Pixels:
        return Pixels.of(images, self.card["mean"], self.card["std"], self.device)

    @property
    def _precision(self) -> Any:
        return resolve(str(self.card.get("precision", "float32")), self.device)
