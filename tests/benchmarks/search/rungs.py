"""Early stopping by others: halving on F1, on Pareto ranks, and OptunaHub's MultiMetricPruner.

MultiMetricPruner is written anew from its rule (optunahub-registry, 2026), since its package fetches it at run time.
"""

from bisect import insort
from typing import Protocol

import numpy as np
from optuna._hypervolume.hssp import _solve_hssp_on_unique_loss_vals

from fersearch.pareto import epsilon_net, fronts
from tests.benchmarks.search.tables import Matrix

STARTUP = 5
"""Finished trials before Optuna's MedianPruner stops one, by its defaults."""


class Stopper(Protocol):
    """Decides after each epoch of each trial whether it stops; losses are those after that epoch."""

    def stops(self, number: int, epoch: int, losses: tuple[float, ...], epochs: int) -> bool:
        """Take the losses after an epoch and decide."""
        ...

    def ended(self, number: int) -> None:
        """Learn that a trial will report no more."""
        ...


class HalvingOnF1:
    """ASHA, stopping type: at epochs 1, 3, 9, ... a trial goes on if its F1 is in the best third of those that came.

    Source: Li et al. 2020 (arXiv:1810.05934).
    """

    def __init__(self, eta: int = 3) -> None:
        self._eta = eta
        self._came: dict[int, list[float]] = {}

    def stops(self, number: int, epoch: int, losses: tuple[float, ...], epochs: int) -> bool:
        if not _is_rung(epoch, self._eta) or epoch >= epochs:
            return False
        came = self._came.setdefault(epoch, [])
        insort(came, losses[0])
        return len(came) >= self._eta and losses[0] > came[len(came) // self._eta - 1]

    def ended(self, number: int) -> None:
        """Keep what the trial reported."""


class HalvingOnFronts:
    """MO-ASHA, stopping type: the best third by Pareto fronts and, inside one, an epsilon-net goes on.

    Source: Schmucker et al. 2021 (arXiv:2106.12639).
    """

    def __init__(self, eta: int = 3) -> None:
        self._eta = eta
        self._came: dict[int, list[tuple[float, ...]]] = {}

    def stops(self, number: int, epoch: int, losses: tuple[float, ...], epochs: int) -> bool:
        if not _is_rung(epoch, self._eta) or epoch >= epochs:
            return False
        came = self._came.setdefault(epoch, [])
        came.append(losses)
        if len(came) < self._eta:
            return False
        order = [front[k] for front in fronts(came) for k in epsilon_net([came[i] for i in front])]
        return order.index(len(came) - 1) >= len(came) // self._eta

    def ended(self, number: int) -> None:
        """Keep what the trial reported."""


class MultiMetric:
    """Ranks a trial after every epoch among all that reported there, then asks a rule for single values.

    The rank counts fronts from 0. A trial on the first front gets -1, which nothing beats; otherwise the trials of its
    own front get from -0.5 (the largest hypervolume contribution) to -0.1 more. Only ended trials are compared with.
    """

    def __init__(self) -> None:
        self._reports: dict[int, dict[int, tuple[float, ...]]] = {}
        self._ended: set[int] = set()

    def stops(self, number: int, epoch: int, losses: tuple[float, ...], epochs: int) -> bool:
        self._reports.setdefault(number, {})[epoch] = losses
        return self._rule(number, epoch)

    def ended(self, number: int) -> None:
        self._ended.add(number)

    def _rule(self, number: int, epoch: int) -> bool:
        raise NotImplementedError

    def _values(self, number: int, epoch: int) -> tuple[float, dict[int, float]]:
        """Return the trial's value at an epoch and those of the ended trials."""
        others = [other for other, reports in self._reports.items() if epoch in reports and other != number]
        if not others:
            return 0.0, {}
        losses = np.array([self._reports[other][epoch] for other in (*others, number)])
        levels = np.empty(len(losses))
        for level, front in enumerate(fronts(losses)):
            levels[front] = level
        if levels[-1] == 0:
            own = -1.0
        else:
            same = np.flatnonzero(levels == levels[-1])
            levels[same] += _bonuses(losses[same])
            own = float(levels[-1])
        return own, {other: float(level) for other, level in zip(others, levels, strict=False) if other in self._ended}


class MultiMetricMedian(MultiMetric):
    """With Optuna's MedianPruner: stops a trial whose best value so far is above the median of ended ones there."""

    def _rule(self, number: int, epoch: int) -> bool:
        if len(self._ended) < STARTUP:
            return False
        own, others = self._values(number, epoch)
        if not others:
            return False
        median = float(np.median(list(others.values())))
        earlier = (at for at in self._reports[number] if at != epoch)
        return own > median and all(self._values(number, at)[0] > median for at in earlier)


class MultiMetricHalving(MultiMetric):
    """With successive halving repaired: at rungs 1, 2, 4, ... a trial goes on in the best half of the ended ones.

    As published it crashes there: the halving pruner writes its marks for a trial that does not exist.
    """

    def __init__(self, eta: int = 2) -> None:
        super().__init__()
        self._eta = eta

    def _rule(self, number: int, epoch: int) -> bool:
        if not _is_rung(epoch, self._eta):
            return False
        own, others = self._values(number, epoch)
        competing = sorted([*others.values(), own])
        return own > competing[max(len(competing) // self._eta - 1, 0)]


def _bonuses(losses: Matrix) -> Matrix:
    """Return what is added to the values of the trials of one front, by their hypervolume contributions."""
    if len(losses) == 1:
        return np.zeros(1)
    worst = losses.max(axis=0)
    reference = np.maximum(1.1 * worst, 0.9 * worst)
    bonuses = np.empty(len(losses))
    bonuses[by_contribution(losses, reference)] = -np.linspace(0.5, 0.1, len(losses))
    return bonuses


def by_contribution(losses: Matrix, reference: Matrix) -> list[int]:
    """Order the points of a front by what each adds to the hypervolume of those before it, most first."""
    points, inverse = np.unique(losses, axis=0, return_inverse=True)
    indices = np.arange(len(points))
    greedy = _solve_hssp_on_unique_loss_vals(points, indices, max(len(points) - 1, 1), reference)
    order = [*greedy, *np.setdiff1d(indices, greedy)]
    return [int(i) for point in order for i in np.flatnonzero(inverse.reshape(-1) == point)]


def _is_rung(epoch: int, eta: int) -> bool:
    """Return whether an epoch is a power of eta."""
    rung = 1
    while rung < epoch:
        rung *= eta
    return rung == epoch
