"""Stops weak trials early: asynchronous successive halving on Pareto ranks.

At each rung (an epoch at which trials are compared) a trial is ranked among all that ever came
so far: by non-dominated fronts, inside a front by an epsilon-net. It goes on if it belongs to
the best half. Costs that grow with every epoch are projected to the trial's own full budget, so
a rung compares what trials will cost and not how long they have run.

Sources: ASHA (Li et al. 2020, arXiv:1810.05934), MO-ASHA (Schmucker et al. 2021,
arXiv:2106.12639), epsilon-net rank (Salinas et al. 2021, arXiv:2106.05680).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from fersearch.components import Metric
from fersearch.search.levels import Levels
from fersearch.search.values import projected
from fersearch.study import Objective
from fersearch.trial import Epoch

ETA = 2
MIN_PEERS = 4
FIRST_RUNG_SHARE = 12
SMALLEST = 5e-324


@dataclass(frozen=True)
class Verdict:
    """A decision and its grounds: `rank` (1 is best) among `peers` at `rung`, of whom the best `kept` go on.

    `rung` is None at an epoch where nothing is compared; `rank` is None with too few peers.
    """

    stop: bool = False
    rung: int | None = None
    rank: int | None = None
    peers: int = 0
    kept: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain data, for the store."""
        return asdict(self)


class Pruner(Protocol):
    """Judges each epoch of each trial."""

    def judge(self, number: int, epoch: Epoch, epochs_planned: int, /) -> Verdict:
        """Take the epoch in and say whether the trial should stop after it."""
        ...

    def vote(self, number: int, epoch: Epoch, epochs_planned: int, /) -> None:
        """Take in an epoch that was judged before."""
        ...


class NoPruner:
    """Lets every trial run to its end."""

    def judge(self, _number: int, _epoch: Epoch, _epochs_planned: int) -> Verdict:
        """Never stop."""
        return Verdict()

    def vote(self, _number: int, _epoch: Epoch, _epochs_planned: int) -> None:
        """Nothing is compared."""


class ParetoPruner:
    """Stops a trial whose Pareto rank at a rung is not among the best half.

    It holds one vote per trial and rung: a trial that is resumed and comes by again replaces its
    own. Votes of stopped and failed trials stay. The result does not depend on the order in
    which votes came in.

    With `unit` round, an Epoch that is judged stands for the mean of the rounds up to its number, and
    costs are those of a whole round already.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        metrics: Mapping[str, Metric],
        max_epochs: int,
        unit: Literal["epoch", "round"] = "epoch",
    ) -> None:
        self._objectives = tuple(objectives)
        self._metrics = metrics
        self._unit = unit
        self._votes = {rung: Levels() for rung in rungs(max_epochs)}

    def judge(self, number: int, epoch: Epoch, epochs_planned: int) -> Verdict:
        """Take the epoch in and say whether the trial should stop after it; never at its last epoch."""
        self.vote(number, epoch, epochs_planned)
        votes = self._votes.get(epoch.number)
        if votes is None:
            return Verdict()
        if len(votes) < MIN_PEERS:
            return _too_few(f"{self._unit} {epoch.number}", epoch.number, len(votes))
        rank, kept = votes.rank(number), math.ceil(len(votes) / ETA)
        stop = rank > kept and epoch.number < epochs_planned
        did = "stopped" if stop else "went on"
        place = f"{self._unit} {epoch.number}"
        reason = f"{did} at {place}: rank {rank} of {len(votes)} by Pareto fronts; the best {kept} go on"
        return Verdict(stop, epoch.number, rank, len(votes), kept, reason)

    def vote(self, number: int, epoch: Epoch, epochs_planned: int) -> None:
        """Take in an epoch that was judged before; only those at rungs count."""
        if epoch.number in self._votes:
            losses = tuple(self._loss(objective, epoch, epochs_planned) for objective in self._objectives)
            self._votes[epoch.number].put(number, losses)

    def _loss(self, objective: Objective, epoch: Epoch, epochs_planned: int) -> float:
        """The objective as a loss; a missing or undefined value is the worst there is."""
        metric = self._metrics.get(objective.metric)
        value = epoch.values.get(objective.metric, math.nan)
        if self._unit == "epoch":
            value = projected(value, metric, epoch.number, epochs_planned)
        if not math.isfinite(value):
            return math.inf
        return objective.loss(math.log(max(value, SMALLEST)) if metric and metric.log_scale else value)


def rungs(max_epochs: int) -> tuple[int, ...]:
    """The epochs at which trials of a study are compared: a twelfth of `max_epochs`, then doubling."""
    first = max(1, max_epochs // FIRST_RUNG_SHARE)
    doublings = (first * ETA**k for k in range(max_epochs.bit_length()))
    return tuple(epoch for epoch in doublings if epoch < max_epochs)


def _too_few(place: str, rung: int, peers: int) -> Verdict:
    came = "1 trial has come" if peers == 1 else f"{peers} trials have come"
    reason = f"went on at {place}: {came} so far, {MIN_PEERS} are needed to compare"
    return Verdict(False, rung, None, peers, peers, reason)
