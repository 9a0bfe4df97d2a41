"""How training ends badly by itself."""

import torch

from fersearch.errors import FersearchError


class Diverged(FersearchError):
    """The loss, the network's output or the first objective is no longer a finite number."""


def check_finite(value: float | torch.Tensor, what: str) -> None:
    """Raise Diverged, naming what it is, unless every number is finite."""
    if not bool(torch.isfinite(torch.as_tensor(value)).all()):
        raise Diverged(f"diverged: {what} is not finite", "a smaller learning rate may help")
