"""A checkpoint put to use on images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fersearch.api.checkpoints import load_checkpoint
from fersearch.data.images import decode


@dataclass(frozen=True)
class Prediction:
    """What a model says about one image."""

    image: str
    label: str
    probabilities: Mapping[str, float]


def predict(checkpoint: Path, images: Sequence[Path], *, trust_plugin: bool = False) -> list[Prediction]:
    """What a checkpoint says about image files.

    Raises:
        DataError: an image cannot be read.
    """
    import numpy as np

    restored = load_checkpoint(checkpoint, trust_plugin=trust_plugin)
    task = restored.task
    pixels = np.stack([decode(path, task.image_size, task.channels) for path in images])
    shares = restored.probabilities(pixels)
    return [
        Prediction(str(path), task.class_names[row.argmax()], dict(zip(task.class_names, map(float, row), strict=True)))
        for path, row in zip(images, shares, strict=True)
    ]
