"""An exponential moving average of a model's weights (Polyak and Juditsky 1992; Tarvainen and Valpola 2017)."""

import copy
from typing import Any

import torch
from torch import nn


class Average:
    """The average of a model's weights and statistics, as a model of its own in evaluation mode.

    After step n it is d * average + (1 - d) * weights with d = min(decay, (1 + n) / (10 + n)), so that the
    untrained start is soon forgotten. What is no real number (a batch norm's counter) is copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.decay = decay
        self.steps = 0
        ours, theirs = self.model.state_dict(), model.state_dict()
        real = [name for name, tensor in ours.items() if tensor.is_floating_point()]
        self._real = [ours[name] for name in real], [theirs[name] for name in real]
        rest = ours.keys() - set(real)
        self._rest = [(ours[name], theirs[name]) for name in sorted(rest)]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(*self._real, 1 - decay)
        for ours, theirs in self._rest:
            ours.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """What it must remember."""
        return {"model": self.model.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a kept state."""
        self.model.load_state_dict(state["model"])
        self.steps = int(state["steps"])
