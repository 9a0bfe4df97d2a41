"""In which numbers a trial computes: float32, or bfloat16 where torch's autocast says so."""

from typing import Literal

import torch

Precision = Literal["float32", "bf16"]


def resolve(asked: str, device: torch.device) -> Precision:
    """The precision that is used: `auto` is bf16 on a CUDA device that has it, float32 elsewhere."""
    if asked == "auto":
        return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    return "bf16" if asked == "bf16" and device.type in ("cuda", "cpu") else "float32"


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context in which the forward pass runs; weights and gradients stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
