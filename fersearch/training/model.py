"""A trial's model: built on its device, and run once before it is trained."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from torch import nn

from fersearch.components import Architecture, trained_task
from fersearch.data.arrays import Loaded, Prepared, load
from fersearch.errors import DataError, FersearchError, UsageError
from fersearch.registry import Registry
from fersearch.training.augment import as_evaluated
from fersearch.training.batches import Pixels, normalised
from fersearch.training.memory_format import arrange
from fersearch.training.numerics import (
    check_finite,
    derive,
    first_line,
    is_out_of_memory,
)
from fersearch.training.request import TrialRequest
from fersearch.training.weights import start_from

CONTIGUOUS = "train it with --memory-format contiguous, or auto; flatten and reshape it by dimensions to use the other"


def prepare_torch(name: str, threads: int) -> torch.device:
    """Set torch up for reproducible results, fixed threads and deterministic algorithms, and return the device.

    Raises:
        UsageError: torch knows no device of that name, or there is none on this machine.
    """
    torch.set_num_threads(threads)
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"unknown device '{name}'", "give cpu, cuda:0 or mps") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(f"device '{name}': torch finds no CUDA device", "train on the CPU: --device cpu")
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return device


def open_data(request: TrialRequest, registry: Registry, round: int = 1) -> Loaded:
    """Memory-map the trial's view of its dataset in a round, with the mean and standard deviation it normalises by.

    Raises:
        DataError: the prepared copy is not the one that was requested.
    """
    params = {**request.dataset_options}
    if "target" in request.params:
        params["target"] = request.params["target"]
    prepared = Prepared.open(Path(request.prepared))
    if request.prepared_digest not in ("", prepared.digest):
        raise DataError(
            f"{prepared.folder} does not hold the data that the driver prepared", "remove the folder and run again"
        )
    dataset = registry.dataset(request.dataset)
    loaded = load(dataset, prepared, params, request.protocol, request.limit, round=round)
    return normalised(loaded, request.params)


def build(architecture: Architecture, request: TrialRequest, loaded: Loaded, pixels: Pixels) -> nn.Module:
    """Build the model under the trial's seed, on the device and in the memory format of its images; run it on two.

    Raises:
        FersearchError: building or a first forward pass fails, or returns anything but logits.
        Diverged: the logits of the untrained model are not finite.
    """
    task = trained_task(loaded.task, request.params)
    torch.manual_seed(derive(request.seed, "weights"))
    with _reraised_as(f"architecture '{architecture.name}' cannot be built"):
        model = architecture.build(request.params, task)
    if request.weights:
        start_from(architecture, model, request.weights, request.params, task)
    arrange(model.to(pixels.device), pixels.memory_format).eval()
    images = pixels.take(pixels.rows(loaded.indices["train"][:2]))
    last = pixels.memory_format == "channels_last"
    shape = f"{tuple(images.shape)}{' in the memory format channels_last' if last else ''}"
    hint = CONTIGUOUS if last else ""
    with _reraised_as(f"architecture '{architecture.name}' fails on images {shape}", hint), torch.inference_mode():
        logits = as_evaluated(model, request.params, tta="none")(images)
    check_logits(architecture, logits, (len(images), loaded.task.num_classes))
    return model


def check_logits(architecture: Architecture, logits: object, expected: tuple[int, int]) -> None:
    """Raise FersearchError or Diverged unless a model returned finite logits of the wanted shape (n, classes)."""
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else None
    if shape != expected:
        got = _shape_text(shape, expected[0]) if shape is not None else f"a {type(logits).__name__}"
        message = f"architecture '{architecture.name}' returned {got}, expected {_shape_text(expected, expected[0])}"
        raise FersearchError(message, "build must give a model from images (n, channels, size, size) to (n, classes)")
    check_finite(cast(torch.Tensor, logits), f"the output of the untrained '{architecture.name}'")


def _shape_text(shape: tuple[int, ...], count: int) -> str:
    return f"({', '.join('n' if size == count and not axis else str(size) for axis, size in enumerate(shape))})"


@contextmanager
def _reraised_as(what: str, hint: str = "") -> Iterator[None]:
    try:
        yield
    except (FersearchError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise FersearchError(f"{what}: {type(error).__name__}: {first_line(error)}", hint) from error
