"""How training ends badly by itself."""

import torch

from fersearch.errors import FersearchError


class Diverged(FersearchError):
    """The loss, the network's output or the first objective is no longer a finite number."""


def check_finite(value: float | torch.Tensor, what: str) -> None:
    """Raise Diverged, naming what it is, unless every number is finite."""
    if not bool(torch.isfinite(torch.as_tensor(value)).all()):
        raise Diverged(f"diverged: {what} is not finite", "a smaller learning rate may help")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out; torch's CPU allocator has no class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return (str(error).strip().splitlines() or [""])[0]
