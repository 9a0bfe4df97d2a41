"""How parallel networks give one prediction."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SAY = 1e-3  # of the mean share in a vote: it breaks ties and leaves no class at 0


class Beside(nn.Module):
    """Several networks that see the same images; their logits one after the other: (n, networks * classes)."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, images: Tensor) -> Tensor:
        """Return every network's logits."""
        return torch.cat([network(images) for network in self.networks], 1)


class MeanShare(nn.Module):
    """Computes the log of the mean class share of several networks: (n, networks * classes) logits to (n, classes)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, logits: Tensor) -> Tensor:
        """Return log(mean(softmax)), which the softmax of a loss or a metric turns into the mean share."""
        logs = functional.log_softmax(logits.float().unflatten(1, (-1, self.classes)), 2)
        return logs.logsumexp(1) - math.log(logs.shape[1])


class Vote(MeanShare):
    """The log of the share of networks that call each class; while it trains, of the mean class share.

    A vote has no gradient. The mean share has a weight of a thousandth, which breaks ties.
    """

    def forward(self, logits: Tensor) -> Tensor:
        """Return logits (n, classes) of (n, networks * classes)."""
        mean = super().forward(logits)
        if self.training:
            return mean
        called = logits.unflatten(1, (-1, self.classes)).argmax(2)
        votes = functional.one_hot(called, self.classes).float().mean(1)
        shares = (1 - SAY) * votes + SAY * mean.exp()
        return shares.clamp_min(torch.finfo(shares.dtype).tiny).log()
