"""The memory that a trial needs, and micro-batches for trials whose batches do not fit.

Two steps are taken at the trial's batch size in a process of their own, the second with the optimizer's state in
place. The memory of the cached features of a frozen prefix is added.
"""

import copy
import gc
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from fersearch import nvml
from fersearch import registry as registries
from fersearch.data.arrays import Loaded
from fersearch.registry import Registry
from fersearch.training.batches import Pixels
from fersearch.training.feature_cache import find_prefix
from fersearch.training.freezing import freeze
from fersearch.training.measure import PeakMemory
from fersearch.training.memory_format import resolve_format
from fersearch.training.model import build, open_data, prepare_torch
from fersearch.training.numerics import derive, first_line, is_out_of_memory, resolve
from fersearch.training.request import TrialRequest
from fersearch.training.trainer import Trainer

CONTEXT = 600 * 2**20
"""Bytes of a CUDA context where the driver does not report those of this process, as in a container."""
FEWEST = 2  # images in a micro-batch: batch normalisation cannot learn from one


def probe(request: TrialRequest, limit: int | None = None, registry: Registry | None = None) -> dict[str, Any]:
    """Take two steps of a trial; return the bytes that it needs as `need`, or the error as `lacks` if memory ran out.

    On CUDA the need is torch's reserved memory and the context; elsewhere private memory above that before the model
    was built. On CUDA no more than `limit` bytes are allocated, so that trials beside it keep theirs.
    """
    device = prepare_torch(request.device, request.threads)
    try:
        if limit is not None and device.type == "cuda":
            total = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, max(1, limit - CONTEXT) / total), device)
        return _measured(request, registry or registries.load(request.plugins), device)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return {"lacks": first_line(error) or type(error).__name__}


def peak_gpu_bytes(device: torch.device) -> int | None:
    """Return the peak bytes of this process on its GPU, reserved memory and context; None on other devices."""
    if device.type != "cuda":
        return None
    return torch.cuda.max_memory_reserved(device) + _context(device)


def gpu_memory_facts(device: str) -> Mapping[str, float]:
    """Return the peak memory of a trial's process on its GPU as the fact `device_mb`; empty on other devices."""
    size = peak_gpu_bytes(torch.device(device))
    return {} if size is None else {"device_mb": round(size / 2**20, 1)}


def _measured(request: TrialRequest, registry: Registry, device: torch.device) -> dict[str, int]:
    loaded = open_data(request, registry)
    memory_format = resolve_format(request.memory_format)
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, device, memory_format)
    memory = PeakMemory(device)
    with memory.watching():
        architecture = registry.architecture(request.architecture)
        model = build(architecture, request, loaded, pixels)
        fixed = freeze(architecture, model, request.params)
        precision = resolve(request.precision, device)
        trainer = Trainer.of(model, loaded, request.params, pixels, request.objective, precision)
        trainer.micro_batches = min(request.micro_batches, max(1, trainer.batches.batch_size))
        two_steps(trainer, fixed, derive(request.seed, "batches", 1))
    features = _features(trainer, loaded, pixels, fixed, int(request.params["epochs"]))
    size = peak_gpu_bytes(device)
    return {"need": features + (memory.peak if size is None else size), "peak": features + memory.peak}


def _features(trainer: Trainer, loaded: Loaded, pixels: Pixels, fixed: Sequence[nn.Module], epochs: int) -> int:
    """Return the bytes of a frozen prefix's features if they will be cached, else 0."""
    if not trainer.repeats or epochs < 2:
        return 0
    rows = np.concatenate([loaded.indices["train"], loaded.indices["valid"]])
    prefix = find_prefix(trainer.model, pixels, rows, fixed, trainer.precision)
    if prefix is None:
        return 0
    images = pixels.take(pixels.rows(rows[:2]))
    return int(prefix.features(images)[0].nbytes) * len(rows)


def _context(device: torch.device) -> int:
    """Return the bytes of the CUDA context: the driver's figure for this process minus torch's reserved memory."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    index = torch.cuda.current_device() if device.index is None else device.index
    status = nvml.status(visible[index] if index < len(visible) else str(index))
    counted = status.processes.get(os.getpid(), 0) if status else 0
    return counted - torch.cuda.memory_reserved(device) if counted else CONTEXT


def fit_into_memory(trainer: Trainer, parts: int, fixed: Sequence[nn.Module], seed: int) -> None:
    """Split batches into `parts` micro-batches, and double that number until two steps fit into memory.

    Weights, optimiser and statistics are restored after the two steps.

    Raises:
        MemoryError, torch.OutOfMemoryError: not even micro-batches of two images fit.
    """
    most = max(1, trainer.batches.batch_size // FEWEST)
    before = _on_cpu(trainer.state_dict())
    trainer.micro_batches = min(parts, most)
    while lacked := _lack(trainer, fixed, seed):
        _put_back(trainer, before)
        if trainer.micro_batches == most:
            raise lacked
        trainer.micro_batches = min(2 * trainer.micro_batches, most)
    _put_back(trainer, before)


def two_steps(trainer: Trainer, fixed: Sequence[nn.Module], seed: int) -> None:
    """Take two steps on the first batch: an optimiser has allocated all its state only after the first."""
    trainer.train_mode(fixed)
    images, targets = next(iter(trainer.batches.epoch(seed)))
    for _ in range(2):
        trainer.train_step(images, targets)


def _lack(trainer: Trainer, fixed: Sequence[nn.Module], seed: int) -> Exception | None:
    """Take two steps; return the out-of-memory error, None if they fit."""
    try:
        two_steps(trainer, fixed, seed)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return error.with_traceback(None)  # its frames hold every tensor computed so far
    return None


def _put_back(trainer: Trainer, before: dict[str, Any]) -> None:
    trainer.optimizer.zero_grad(set_to_none=True)
    trainer.load_state_dict(copy.deepcopy(before))
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _on_cpu(state: Any) -> Any:
    """Return a copy of a state on the CPU."""
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: _on_cpu(value) for key, value in state.items()}
    return [_on_cpu(value) for value in state] if isinstance(state, list) else copy.deepcopy(state)
