"""Numerics of a trial: seeds, precision, tensors over memory-mapped arrays, and checks for divergence.

Every random draw comes from a seed of its own, derived by name, so no draw depends on the number of earlier ones: an
epoch draws the same after a resume as without one, and generator states are stored only for an unfinished epoch.
"""

import hashlib
import warnings
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from fersearch.errors import FersearchError

Precision = Literal["float32", "bf16"]
ONE_IMAGE = "batch normalisation cannot learn from batches of one image"
TWO_OR_MORE = "give batch sizes of 2 or more, as in --set batch_size=2"


def derive(seed: int, *names: str | int) -> int:
    """Return a seed below 2**63 for one purpose of a trial, as `derive(seed, "epoch", 3)`."""
    text = ":".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) >> 1


def resolve(requested: str, device: torch.device) -> Precision:
    """Return the precision that a request resolves to: `auto` is bf16 on CUDA devices that have it, else float32."""
    if requested == "auto":
        return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    return "bf16" if requested == "bf16" and device.type in ("cuda", "cpu") else "float32"


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """Return the autocast context of the forward pass; weights and gradients stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


class Diverged(FersearchError):
    """The loss, the network's output or the first objective is no longer a finite number."""


def check_finite(value: float | torch.Tensor, what: str) -> None:
    """Raise Diverged, its message naming `what`, unless every number is finite."""
    if not bool(torch.isfinite(torch.as_tensor(value)).all()):
        raise Diverged(f"diverged: {what} is not finite", "a smaller learning rate may help")


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error is an out-of-memory error; torch's CPU allocator has no class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def is_one_value(error: Exception) -> bool:
    """Return whether an error means that batch normalisation got one value per channel in training."""
    return isinstance(error, ValueError) and str(error).startswith("Expected more than 1 value per channel")


def describe_error(error: Exception) -> str:
    """Return the message for users of an error that ended training."""
    if isinstance(error, FersearchError):
        return str(error)
    if is_one_value(error):
        return f"{ONE_IMAGE}; {TWO_OR_MORE}"
    return f"{type(error).__name__}: {first_line(error)}"


def first_line(error: Exception) -> str:
    """Return the first line of an error's text."""
    return (str(error).strip().splitlines() or [""])[0]


def wrap(array: "np.ndarray[Any, Any]") -> Tensor:
    """Return a tensor that shares an array's memory; it must not be written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
