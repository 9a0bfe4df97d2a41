"""The images on which an exported model is compared with the original."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fersearch.errors import DataError, UsageError
from fersearch.evaluation.request import EvaluationRequest, open_input
from fersearch.registry import Registry

Array = np.ndarray[Any, Any]
GENERATED = 256
MOST_COMPARED = 1000
MOST_CALIBRATED = 256


@dataclass(frozen=True)
class Images:
    """Images (uint8, n x channels x size x size), and their labels (int64) where they are real."""

    pixels: Array
    labels: Array | None = None
    source: str = "generated"


def of_split(
    checkpoint: Path, registry: Registry, split: str, most: int, data: Path | None, storage: str | None
) -> Images:
    """Return at most `most` images of a split of a checkpoint's training data, evenly spread over it.

    Raises:
        FersearchError: the data is not available, or is not the checkpoint's.
    """
    opened = open_input(checkpoint, EvaluationRequest(data=data, split=split, storage=storage), registry=registry)
    places = np.unique(np.linspace(0, len(opened.rows) - 1, min(most, len(opened.rows))).astype(np.int64))
    return Images(np.asarray(opened.loaded.images[opened.rows[places]]), opened.labels[places], split)


def to_compare(
    checkpoint: Path, card: Any, registry: Registry, data: Path | None, storage: str | None, *, all_of_them: bool
) -> Images:
    """Return validation images, or generated ones where the data is not available and no path was given.

    Raises:
        UsageError: the data is not available although all validation images are needed.
    """
    most = 10**9 if all_of_them else MOST_COMPARED
    try:
        return of_split(checkpoint, registry, "valid", most, data, storage)
    except (DataError, UsageError) as error:
        if data is not None:
            raise
        if all_of_them:
            raise UsageError(
                f"--quantize needs the images that the model was trained on: {error.message}", "name them with --data"
            ) from error
    return Images(generated(int(card["channels"]), int(card["image_size"])))


def generated(channels: int, size: int) -> Array:
    """Return images of blurred noise, from dark to bright and from flat to rich in contrast; the same every time."""
    random = np.random.default_rng(20)
    cells = max(2, size // 6)
    coarse = (
        random.random((GENERATED, channels, cells, cells)).repeat(-(-size // cells), 2).repeat(-(-size // cells), 3)
    )
    fine = random.random((GENERATED, channels, size, size))
    mixed = 0.7 * coarse[:, :, :size, :size] + 0.3 * fine
    low = random.random((GENERATED, 1, 1, 1)) * 0.5
    span = random.random((GENERATED, 1, 1, 1)) * (1 - low)
    return np.asarray((255 * (low + span * mixed)).round(), dtype=np.uint8)
