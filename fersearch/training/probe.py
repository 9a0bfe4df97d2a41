"""What memory a trial will take: two steps at its batch size, in a process of their own.

The second step is taken with the optimizer's state in place. What a cached frozen prefix will hold is added.
"""

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
from fersearch.training.building import build, open_data, prepare_torch
from fersearch.training.errors import first_line, is_out_of_memory
from fersearch.training.fit import Fit
from fersearch.training.freeze import freeze
from fersearch.training.measure import PeakMemory
from fersearch.training.micro import two_steps
from fersearch.training.precision import resolve
from fersearch.training.prefix import find
from fersearch.training.request import TrialRequest
from fersearch.training.seeds import derive

CONTEXT = 600 * 2**20
"""Bytes of a CUDA context where the driver does not tell them of this process, as in a container."""


def probe(request: TrialRequest, limit: int | None = None, registry: Registry | None = None) -> dict[str, Any]:
    """Take two steps of a trial; returns its `need` in bytes, or what it `lacks` when memory ran out.

    On CUDA the need is what torch reserved and the context; elsewhere private memory above that before the model
    was built. On CUDA no more than `limit` bytes are taken, so that trials beside it are left their own.
    """
    device = prepare_torch(request.device, request.threads)
    try:
        if limit is not None and device.type == "cuda":
            total = torch.cuda.get_device_properties(device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, max(1, limit - CONTEXT) / total), device)
        return {"need": _need(request, registry or registries.load(request.plugins), device)}
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return {"lacks": first_line(error) or type(error).__name__}


def taken(device: torch.device) -> int | None:
    """The bytes that this process took of its GPU, at most: reserved memory and context; None on other devices."""
    if device.type != "cuda":
        return None
    return torch.cuda.max_memory_reserved(device) + _context(device)


def taken_facts(device: str) -> Mapping[str, float]:
    """What a trial's process took of its GPU, as the fact `device_mb`; nothing on other devices."""
    size = taken(torch.device(device))
    return {} if size is None else {"device_mb": round(size / 2**20, 1)}


def _need(request: TrialRequest, registry: Registry, device: torch.device) -> int:
    loaded = open_data(request, registry)
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, device)
    memory = PeakMemory(device)
    with memory.watching():
        architecture = registry.architecture(request.model)
        model = build(architecture, request, loaded, pixels)
        fixed = freeze(architecture, model, request.params)
        precision = resolve(request.precision, device)
        fit = Fit.of(model, loaded, request.params, pixels, request.objective, precision)
        fit.parts = min(request.micro_batches, max(1, fit.batches.batch_size))
        two_steps(fit, fixed, derive(request.seed, "batches", 1))
    kept = _features(fit, loaded, pixels, fixed, int(request.params["epochs"]))
    size = taken(device)
    return kept + (memory.peak if size is None else size)


def _features(fit: Fit, loaded: Loaded, pixels: Pixels, fixed: Sequence[nn.Module], epochs: int) -> int:
    """The bytes of a frozen prefix's features, where they will be kept."""
    if not fit.repeats or epochs < 2:
        return 0
    rows = np.concatenate([loaded.indices["train"], loaded.indices["valid"]])
    prefix = find(fit.model, pixels, rows, fixed, fit.precision)
    if prefix is None:
        return 0
    images = pixels.take(pixels.rows(rows[:2]))
    return int(prefix.features(images)[0].nbytes) * len(rows)


def _context(device: torch.device) -> int:
    """What the context takes: what the driver counts for this process, less what torch has reserved."""
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    index = torch.cuda.current_device() if device.index is None else device.index
    standing = nvml.standing(visible[index] if index < len(visible) else str(index))
    counted = standing.processes.get(os.getpid(), 0) if standing else 0
    return counted - torch.cuda.memory_reserved(device) if counted else CONTEXT
