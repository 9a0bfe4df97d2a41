"""A finished checkpoint: one safetensors file whose metadata holds a card that says how to use it."""

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

import fersearch
from fersearch.components import Architecture, Task
from fersearch.data.arrays import Loaded
from fersearch.errors import FersearchError
from fersearch.training.card import FORMAT, KEY, PULL, read_card
from fersearch.training.request import TrialRequest
from fersearch.training.restore import rebuild
from fersearch.training.rounds import Round
from fersearch.training.states import write_whole
from fersearch.training.task import trained_task


def make_card(
    request: TrialRequest, loaded: Loaded, kept: Round, values: Mapping[str, float], precision: str
) -> dict[str, Any]:
    """The card of the kept epoch of a trial's best round, as plain data; `values` that are not finite are None."""
    finite = {name: value if np.isfinite(value) else None for name, value in values.items()}
    return {
        "format": FORMAT,
        "study": request.study,
        "study_id": request.study_uid,
        "trial": request.number,
        "epoch": kept.kept_epoch,
        "round": kept.number,
        "architecture": request.model,
        "params": dict(request.params),
        "class_names": list(loaded.task.class_names),
        "channels": loaded.task.channels,
        "image_size": loaded.task.image_size,
        "mean": [float(value) for value in loaded.mean],
        "std": [float(value) for value in loaded.std],
        "precision": precision,
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
    """What the weights were trained with."""
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
    """The card and the weights (on the CPU) of a checkpoint file.

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
    """The task that a checkpoint was trained for; its network may see less of an image (`trained_task`)."""
    return Task(tuple(card["class_names"]), int(card["channels"]), int(card["image_size"]))


def load_model(card: Mapping[str, Any], tensors: Mapping[str, Tensor], architecture: Architecture) -> nn.Module:
    """The model of a checkpoint, in evaluation mode on the CPU: normalised images to logits.

    Raises:
        FersearchError: the weights are not those of the architecture, or not finite.
    """
    params = card["params"]
    return rebuild(
        lambda: architecture.build(params, trained_task(task_of(card), params)),
        tensors,
        f"architecture '{architecture.name}'",
    )
