"""Whether torch computes here, and on what."""

from typing import Any

import numpy as np
import torch


def computes() -> dict[str, Any]:
    """Multiply on every device, with an array that comes from NumPy.

    Returns `torch` (its version), `built_for` (CUDA's version, or `CPU`), `devices` (those that
    computed right, as torch names them) and `failures` (what went wrong, by device).
    """
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    failures = {name: why for name in names if (why := _failure(name))}
    cuda = torch.version.cuda
    return {
        "torch": torch.__version__,
        "built_for": f"CUDA {cuda}" if cuda else "CPU",
        "devices": [name for name in names if name not in failures],
        "failures": failures,
    }


def _failure(device: str) -> str:
    """Why a device does not compute; empty if it does."""
    try:
        ones = torch.from_numpy(np.ones((64, 64), np.float32)).to(device)
        total = float((ones @ ones).sum())
    except (RuntimeError, AssertionError) as error:
        return str(error).strip().splitlines()[0]
    return "" if total == 64.0**3 else f"a product of ones came out as {total}"
