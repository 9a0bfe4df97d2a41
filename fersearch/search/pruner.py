"""Early stopping of weak trials: asynchronous successive halving on Pareto ranks.

At each rung (an epoch at which trials are compared) a trial is ranked among all that reached the
rung so far: by non-dominated fronts, inside a front by an epsilon-net. It continues if it is on the
first front (since the second version of the rules) or in the best half. Costs that grow with every
epoch are projected to the trial's own full budget, so that a rung compares final costs and not
how long trials have run.

Sources: ASHA (Li et al. 2020, arXiv:1810.05934), MO-ASHA (Schmucker et al. 2021,
arXiv:2106.12639), epsilon-net rank (Salinas et al. 2021, arXiv:2106.05680).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from fersearch.components import Metric
from fersearch.pareto import epsilon_net, fronts
from fersearch.search.aggregation import projected
from fersearch.study import RULES, Objective
from fersearch.trial import Epoch

ETA = 2
MIN_PEERS = 4
FIRST_RUNG_SHARE = 12
SMALLEST = 5e-324
Matrix = npt.NDArray[np.float64]
Unit = Literal["epoch", "round"]


@dataclass(frozen=True)
class Verdict:
    """A decision and its reasons: `rank` (1 is best) among `peers` at `rung`, of which the best `kept` continue.

    `rung` is None at an epoch where nothing is compared; `rank` is None with too few peers. The trials of a front
    share a rank, except in the front that the cut divides (under `rules` 1 every front was ordered).
    """

    stop: bool = False
    rung: int | None = None
    rank: int | None = None
    peers: int = 0
    kept: int = 0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data, for the store."""
        return asdict(self)


class Pruner(Protocol):
    """A pruner that decides after each epoch of each trial."""

    def judge(self, number: int, epoch: Epoch, epochs_planned: int, /) -> Verdict:
        """Record the epoch and decide whether the trial stops after it."""
        ...

    def vote(self, number: int, epoch: Epoch, epochs_planned: int, /) -> None:
        """Record an epoch that was decided on before."""
        ...


class NoPruner:
    """A pruner that never stops a trial."""

    def judge(self, _number: int, _epoch: Epoch, _epochs_planned: int) -> Verdict:
        """Return the verdict to continue."""
        return Verdict()

    def vote(self, _number: int, _epoch: Epoch, _epochs_planned: int) -> None:
        """Ignore the epoch: nothing is compared."""


class ParetoPruner:
    """Stops a trial whose Pareto rank at a rung is not among the best half, unless it stands on the first front.

    It holds one vote per trial and rung: a resumed trial that reaches a rung again replaces its
    own. Votes of stopped and failed trials stay. The result does not depend on the order of votes.

    With `unit` round, a judged Epoch is the mean of the rounds up to its number, and costs are those
    of a whole round already. Under `rules` 1 trials on the first front are stopped like others.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        metrics: Mapping[str, Metric],
        max_epochs: int,
        unit: Unit = "epoch",
        rules: int = RULES,
    ) -> None:
        self._objectives = tuple(objectives)
        self._metrics = metrics
        self._unit = unit
        self._rules = rules
        self._votes = {rung: Levels() for rung in rungs(max_epochs)}

    def judge(self, number: int, epoch: Epoch, epochs_planned: int) -> Verdict:
        """Record the epoch and decide whether the trial stops after it; never at its last epoch."""
        self.vote(number, epoch, epochs_planned)
        votes = self._votes.get(epoch.number)
        if votes is None:
            return Verdict()
        if len(votes) < MIN_PEERS:
            return _too_few(f"{self._unit} {epoch.number}", epoch.number, len(votes))
        survivors = math.ceil(len(votes) / ETA)
        is_protected = self._rules > 1 and votes.level(number) == 0
        rank = rank_of(votes, number, self._rules)
        stop = rank > survivors and not is_protected and epoch.number < epochs_planned
        did = "stopped" if stop else "went on"
        place = f"{self._unit} {epoch.number}"
        why = (
            f"on the first front of {len(votes)} trials, where none is stopped"
            if is_protected
            else f"rank {rank} of {len(votes)} by Pareto fronts; the best {survivors} go on"
        )
        return Verdict(stop, epoch.number, rank, len(votes), survivors, f"{did} at {place}: {why}")

    def vote(self, number: int, epoch: Epoch, epochs_planned: int) -> None:
        """Record an epoch that was decided on before; only those at rungs count."""
        if epoch.number in self._votes:
            values = compared_values(self._objectives, self._metrics, epoch, epochs_planned, self._unit)
            self._votes[epoch.number].put(number, losses_of(values, self._objectives, self._metrics))


def compared_values(
    objectives: Sequence[Objective], metrics: Mapping[str, Metric], epoch: Epoch, planned: int, unit: Unit = "epoch"
) -> dict[str, float]:
    """Return the values by metric that a trial is compared on at an epoch: costs projected, NaN for a missing value."""
    values = {objective.metric: epoch.values.get(objective.metric, math.nan) for objective in objectives}
    if unit == "round":
        return values
    return {name: projected(value, metrics.get(name), epoch.number, planned) for name, value in values.items()}


def losses_of(
    values: Mapping[str, float], objectives: Sequence[Objective], metrics: Mapping[str, Metric]
) -> tuple[float, ...]:
    """Return compared values as losses; a missing or undefined value counts as infinite."""
    return tuple(_loss(values[one.metric], one, metrics.get(one.metric)) for one in objectives)


def _loss(value: float, objective: Objective, metric: Metric | None) -> float:
    if not math.isfinite(value):
        return math.inf
    return objective.loss(math.log(max(value, SMALLEST)) if metric and metric.log_scale else value)


def rank_of(votes: "Levels", number: int, rules: int) -> int:
    """Return the rank of a vote among all by a version of the rules."""
    return votes.rank(number) if rules == 1 else votes.shared_rank(number, math.ceil(len(votes) / ETA))


def rungs(max_epochs: int) -> tuple[int, ...]:
    """Return the epochs at which trials of a study are compared: a twelfth of `max_epochs`, then doubling."""
    first = max(1, max_epochs // FIRST_RUNG_SHARE)
    doublings = (first * ETA**k for k in range(max_epochs.bit_length()))
    return tuple(epoch for epoch in doublings if epoch < max_epochs)


def _too_few(place: str, rung: int, peers: int) -> Verdict:
    came = "1 trial has reached it" if peers == 1 else f"{peers} trials have reached it"
    reason = f"went on at {place}: {came} so far, {MIN_PEERS} are needed to compare"
    return Verdict(False, rung, None, peers, peers, reason)


class Levels:
    """Points with several losses by number, each with the front it belongs to (0 is not dominated).

    A new point is inserted behind those that dominate it, and moves those that it dominates back, front by front.
    Source: Li et al. 2017, "Efficient nondomination level update" (doi:10.1109/TCYB.2016.2621008). Points are
    inserted only when a rank is requested: a search that resumes adds thousands, and may never need their ranks.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[float, ...]] = {}
        self._places: dict[int, int] = {}
        self._numbers: list[int] = []
        self._points = np.empty((0, 0))
        self._levels = np.empty(0, dtype=int)

    def __len__(self) -> int:
        return len(self._numbers) + sum(number not in self._places for number in self._waiting)

    def put(self, number: int, losses: Sequence[float]) -> None:
        """Add a point, replacing an earlier one of that number."""
        self._waiting[number] = tuple(losses)

    def rank(self, number: int) -> int:
        """Return the rank (1 is best) of a point: by fronts, inside a front by epsilon-net; ties share the best."""
        self._settle()
        place = self._places[number]
        level = self._levels[place]
        same = (self._points[self._ordered(level)] == self._points[place]).all(axis=1)
        return int((self._levels < level).sum()) + 1 + int(same.argmax())

    def level(self, number: int) -> int:
        """Return the front that a point belongs to, from 0."""
        self._settle()
        return int(self._levels[self._places[number]])

    def shared_rank(self, number: int, survivors: int) -> int:
        """Return the common rank of a point's front, or its own rank where the last survivor is in that front."""
        level = self.level(number)
        ahead, until = int((self._levels < level).sum()), int((self._levels <= level).sum())
        return self.rank(number) if level and ahead < survivors < until else ahead + 1

    def order(self) -> list[tuple[int, int]]:
        """Return the number and the front (0 is not dominated) of every point, the best first."""
        self._settle()
        levels = range(int(self._levels.max(initial=-1)) + 1)
        return [(self._numbers[place], level) for level in levels for place in self._ordered(level)]

    def dominating(self, number: int) -> set[int]:
        """Return the numbers of the points that are no worse in anything and better in something."""
        self._settle()
        return {self._numbers[place] for place in np.flatnonzero(self._ahead_of(self._points[self._places[number]]))}

    def _settle(self) -> None:
        """Insert every pending point, the best first, so that few must be moved back."""
        moved = {number: losses for number, losses in self._waiting.items() if number in self._places}
        for number, losses in sorted(self._waiting.items(), key=lambda pair: pair[1]):
            if number not in moved:
                self._add(number, np.asarray(losses, dtype=float))
        for number, losses in moved.items():
            self._points[self._places[number]] = losses
        if moved:
            self._sort()
        self._waiting.clear()

    def _add(self, number: int, point: Matrix) -> None:
        if not self._numbers:
            self._points = np.empty((0, len(point)))
        self._places[number] = len(self._numbers)
        self._numbers.append(number)
        level = int(self._levels[self._ahead_of(point)].max(initial=-1)) + 1
        self._push_back(point[None, :], level)
        self._points = np.vstack([self._points, point])
        self._levels = np.append(self._levels, level)

    def _ordered(self, level: int) -> list[int]:
        """Return the indices of a front's members, the best first."""
        front = sorted(np.flatnonzero(self._levels == level).tolist(), key=self._numbers.__getitem__)
        return [front[i] for i in epsilon_net(self._points[front])]

    def _ahead_of(self, point: Matrix) -> npt.NDArray[np.bool_]:
        """Return a mask of the points that dominate one: no worse in anything and better in something."""
        return np.asarray((self._points <= point).all(axis=1) & (self._points < point).any(axis=1))

    def _push_back(self, points: Matrix, level: int) -> None:
        """Move the points of a level that `points` dominate back by one, then those that these dominate, and so on."""
        moved: list[tuple[npt.NDArray[np.int_], int]] = []
        while len(points) and len(self._levels):
            members = np.flatnonzero(self._levels == level)
            pairs = points[:, None, :], self._points[members][None, :, :]
            behind = members[((pairs[0] <= pairs[1]).all(axis=2) & (pairs[0] < pairs[1]).any(axis=2)).any(axis=0)]
            level += 1
            moved.append((behind, level))
            points = self._points[behind]
        for behind, deeper in moved:
            self._levels[behind] = deeper

    def _sort(self) -> None:
        for level, front in enumerate(fronts(self._points)):
            self._levels[front] = level
