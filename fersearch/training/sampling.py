"""Sampling of training images for an epoch: the recipe's rules for imbalanced classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fersearch.errors import lookup


@dataclass(frozen=True)
class Order:
    """The images of an epoch, as indices (int64, n) into the training images.

    With SMOTE each is blended with a `partner` (int64, n) by a `share` (float32, n) from 0, itself, to 1.
    """

    places: Tensor
    partners: Tensor | None = None
    shares: Tensor | None = None


class Sampling:
    """A sampling rule that draws the order of an epoch from a seeded generator.

    Args:
        rule: a name of `SAMPLINGS`.
        labels: the class (int64, n) of every training image.

    Raises:
        UnknownName: there is no such rule.
    """

    def __init__(self, rule: str, labels: Tensor) -> None:
        self._draw = lookup("sampling", rule, SAMPLINGS)
        present = np.unique(labels.numpy()).tolist() if rule != "shuffle" else []
        self._classes = [(labels == each).nonzero().flatten() for each in present]
        self._quotas = _quotas(rule, [len(places) for places in self._classes])
        self.count = sum(self._quotas) if self._quotas else len(labels)
        self.blends = rule == "smote"

    def draw(self, generator: torch.Generator) -> Order:
        """Return the order of one epoch: `count` images."""
        return self._draw(self, generator)

    def _shuffle(self, generator: torch.Generator) -> Order:
        """Return every image once."""
        return Order(torch.randperm(self.count, generator=generator))

    def _weighted(self, generator: torch.Generator) -> Order:
        """Return as many images as there are, drawn with replacement, every class with the same probability."""
        drawn = torch.randint(len(self._classes), (self.count,), generator=generator)
        within = torch.rand(self.count, generator=generator, dtype=torch.float64)
        places = torch.empty(self.count, dtype=torch.int64)
        for number, own in enumerate(self._classes):
            chosen = drawn == number
            places[chosen] = own[(within[chosen] * len(own)).long()]
        return Order(places)

    def _even(self, generator: torch.Generator) -> Order:
        """Return each class's quota, its images equally often (but for one)."""
        parts = [_cycled(own, quota, generator) for own, quota in zip(self._classes, self._quotas, strict=True)]
        return Order(_shuffled(torch.cat(parts), generator))

    def _smote(self, generator: torch.Generator) -> Order:
        """Return every image once, and fill smaller classes up to the largest by blends of two of their images."""
        rows = []
        for own, quota in zip(self._classes, self._quotas, strict=True):
            places = _cycled(own, quota, generator)
            partners = own[torch.randint(len(own), (quota,), generator=generator)]
            shares = torch.rand(quota, generator=generator)
            shares[: len(own)] = 0
            rows.append((places, partners, shares))
        places, partners, shares = (torch.cat(column) for column in zip(*rows, strict=True))
        order = torch.randperm(len(places), generator=generator)
        return Order(places[order], partners[order], shares[order])


def _quotas(rule: str, sizes: Sequence[int]) -> list[int]:
    """Return how many images of each class an epoch shows; empty where chance decides."""
    if rule in ("oversample", "smote"):
        return [max(sizes)] * len(sizes)
    if rule == "undersample":
        return [min(sizes)] * len(sizes)
    if rule == "balanced":
        share, rest = divmod(sum(sizes), len(sizes))
        return [share + (number < rest) for number in range(len(sizes))]
    return []


def _cycled(places: Tensor, quota: int, generator: torch.Generator) -> Tensor:
    """Return `quota` of the places: all of them in random order, repeated as often as needed."""
    rounds = -(-quota // len(places))
    return torch.cat([_shuffled(places, generator) for _ in range(rounds)])[:quota]


def _shuffled(places: Tensor, generator: torch.Generator) -> Tensor:
    return places[torch.randperm(len(places), generator=generator)]


SAMPLINGS: dict[str, Callable[[Sampling, torch.Generator], Order]] = {
    "shuffle": Sampling._shuffle,
    "weighted": Sampling._weighted,
    "balanced": Sampling._even,
    "oversample": Sampling._even,
    "undersample": Sampling._even,
    "smote": Sampling._smote,
}
