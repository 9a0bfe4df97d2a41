"""An epoch that is not over, so that a trial can stop between any two steps and go on as if it had not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

Pulse = Callable[[], bool]
"""Called between any two steps: gives a sign of life, and returns whether the trial is preempted: to save and leave."""


class Preempted(Exception):
    """The trial is preempted in the middle of work that is done anew: a pass over a split, or one for its features."""


def unwatched() -> bool:
    """Return False: a trial that nobody watches goes on."""
    return False


@dataclass
class PartialEpoch:
    """An epoch under way: `step` steps were taken; `sums` (2) of their images' losses and of those classified right.

    `random` is the state that the generators of the device are to be in before the next step, None where they are.
    """

    step: int
    sums: Tensor
    random: Mapping[str, Tensor] | None = None

    @classmethod
    def start(cls, device: torch.device) -> Self:
        """Return an epoch of which no step was taken."""
        return cls(0, torch.zeros(2, device=device))

    def restore_generators(self) -> None:
        """Put the random generators into the state in which the epoch was left."""
        if self.random is not None:
            torch.set_rng_state(self.random["cpu"])
            if "cuda" in self.random:
                torch.cuda.set_rng_state(self.random["cuda"], self.sums.device)
            if "mps" in self.random:
                torch.mps.set_rng_state(self.random["mps"])
        self.random = None

    def state_dict(self) -> dict[str, Any]:
        """Return what it must remember."""
        return {"step": self.step, "sums": self.sums, "random": self.random or random_state(self.sums.device)}

    @classmethod
    def of(cls, state: Mapping[str, Any], device: torch.device) -> Self:
        """Return the epoch of a stored state."""
        return cls(int(state["step"]), state["sums"].to(device), state["random"])


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of the generators that training on a device draws from."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state
