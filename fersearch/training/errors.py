"""How training ends badly by itself."""

import torch

from fersearch.errors import FersearchError

ONE_IMAGE = "batch normalisation cannot learn from batches of one image"
TWO_OR_MORE = "give batch sizes of 2 or more, as in --set batch_size=2"


class Diverged(FersearchError):
    """The loss, the network's output or the first objective is no longer a finite number."""


def check_finite(value: float | torch.Tensor, what: str) -> None:
    """Raise Diverged, naming what it is, unless every number is finite."""
    if not bool(torch.isfinite(torch.as_tensor(value)).all()):
        raise Diverged(f"diverged: {what} is not finite", "a smaller learning rate may help")


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out; torch's CPU allocator has no class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def is_one_value(error: Exception) -> bool:
    """Whether an error says that batch normalisation was to learn from one value per channel."""
    return isinstance(error, ValueError) and str(error).startswith("Expected more than 1 value per channel")


def told(error: Exception) -> str:
    """What a person should read of an error that ended training."""
    if isinstance(error, FersearchError):
        return str(error)
    if is_one_value(error):
        return f"{ONE_IMAGE}; {TWO_OR_MORE}"
    return f"{type(error).__name__}: {first_line(error)}"


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return (str(error).strip().splitlines() or [""])[0]
