"""Preemption between two steps: the unfinished epoch from which a trial resumes with the same results."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

Pulse = Callable[[], bool]
"""Called between any two steps as a heartbeat; returns whether the trial is preempted and must save and exit."""


class Preempted(Exception):
    """The trial is preempted during work that is repeated on resume: a pass over a split, or one for its features."""


def unwatched() -> bool:
    """Return False: a trial without a watcher is never preempted."""
    return False


@dataclass
class PartialEpoch:
    """An unfinished epoch: `step` steps were taken; `sums` (2) of their images' losses and of correct predictions.

    `random` is the state that the device's generators need before the next step; None where they have it already.
    """

    step: int
    sums: Tensor
    random: Mapping[str, Tensor] | None = None

    @classmethod
    def start(cls, device: torch.device) -> Self:
        """Return an epoch without steps."""
        return cls(0, torch.zeros(2, device=device))

    def restore_generators(self) -> None:
        """Set the random generators to their state at the end of the last step."""
        if self.random is not None:
            torch.set_rng_state(self.random["cpu"])
            if "cuda" in self.random:
                torch.cuda.set_rng_state(self.random["cuda"], self.sums.device)
            if "mps" in self.random:
                torch.mps.set_rng_state(self.random["mps"])
        self.random = None

    def state_dict(self) -> dict[str, Any]:
        """Return the state to resume from."""
        return {"step": self.step, "sums": self.sums, "random": self.random or random_state(self.sums.device)}

    @classmethod
    def of(cls, state: Mapping[str, Any], device: torch.device) -> Self:
        """Return the epoch of a stored state."""
        return cls(int(state["step"]), state["sums"].to(device), state["random"])


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random generators that training on a device uses."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state
