"""Choice of a trial from a front: the best, the cheapest that is as good, or the knee; and relative bounds."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from fersearch import formatting, pareto
from fersearch.formatting import TIE
from fersearch.search import ties
from fersearch.search.front import losses
from fersearch.study import Constraint, Objective
from fersearch.trial import SE, STD, Trial

BEST, CHEAPEST, KNEE = "best", "cheapest", "knee"
FLOOR = 0.9
"""Least share of the best first objective that a knee has."""


@dataclass(frozen=True)
class RelativeBound:
    """A bound relative to the best value on the front, such as `f1_macro>=0.9*best`."""

    metric: str
    op: Literal["<=", ">="]
    share: float

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read `METRIC>=SHARE*best` or `METRIC<=SHARE*best`; None for anything else."""
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=)\s*(\d+\.?\d*|\.\d+)\s*\*\s*best\s*", text)
        return cls(match[1], match[2], float(match[3])) if match else None  # type: ignore[arg-type]

    def resolved(self, members: Sequence[Trial]) -> Constraint:
        """Return the absolute bound; the best is the largest value of the members for `>=`, the smallest for `<=`."""
        values = [trial.values[self.metric] for trial in members if self.metric in trial.values]
        best = (max if self.op == ">=" else min)(values, default=0.0)
        return Constraint(self.metric, self.op, self.share * best)


def bounds_of(where: Sequence[str], members: Sequence[Trial]) -> tuple[Constraint, ...]:
    """Parse bounds, and resolve relative ones by the members of a front."""
    relative = {text: RelativeBound.parse(text) for text in where}
    return tuple(bound.resolved(members) if bound else Constraint.parse(text) for text, bound in relative.items())


def standard_error(trial: Trial, metric: str) -> float | None:
    """Return the uncertainty of a trial's value: its standard error, or its deviation over rounds; None if unknown.

    For rounds it is the deviation itself, as a pulled checkpoint is that of one round, and rounds share images.
    """
    return trial.values.get(f"{metric}{STD}", trial.values.get(f"{metric}{SE}"))


def cheapest(members: Sequence[Trial], objectives: Sequence[Objective], tolerance: float = TIE) -> Trial:
    """Return the best by the second objective of those within one standard error of the best by the first.

    `members` is a front, best first. Where the standard error of the best is unknown or there is no second objective,
    the best is returned. Costs that differ by no more than the share `tolerance` are equal, and the first objective
    decides.
    Source: the one-standard-error rule, Breiman et al. 1984 (Classification and Regression Trees, section 3.4.3).
    """
    best, error = members[0], standard_error(members[0], objectives[0].metric)
    if error is None or len(objectives) < 2:
        return best
    bar = losses(best, objectives)[0] + error
    near = [trial for trial in members if losses(trial, objectives)[0] <= bar]
    costs = {trial.number: ties.comparable(trial, objectives)[1] for trial in near}
    least = min(costs.values())
    equal = [trial for trial in near if costs[trial.number] <= least + tolerance * abs(least)]
    return min(equal, key=lambda trial: (losses(trial, objectives)[0], costs[trial.number], trial.number))


def floor_of(members: Sequence[Trial], first: Objective) -> Constraint:
    """Return the bound on the knee: `FLOOR` of the best first objective, which is that of the first member."""
    best = members[0].values[first.metric]
    is_share = (first.direction == "max") == (best > 0)
    op: Literal["<=", ">="] = ">=" if first.direction == "max" else "<="
    return Constraint(first.metric, op, best * FLOOR if is_share else best / FLOOR)


def knee(members: Sequence[Trial], objectives: Sequence[Objective], bounds: Sequence[Constraint] = ()) -> Trial:
    """Return the knee of a front, best first, among the members above its floor.

    The floor is that of `floor_of`, unless `bounds`, which all members keep, has one on the first objective.
    """
    above = [trial for trial in members if bounded(objectives, bounds) or _floor(members, objectives, trial)]
    return above[pareto.knee([losses(trial, objectives) for trial in above])]


def bounded(objectives: Sequence[Objective], bounds: Sequence[Constraint]) -> bool:
    """Return whether there is a bound on the first objective, which then is the knee's floor."""
    return any(bound.metric == objectives[0].metric for bound in bounds)


def picks(
    members: Sequence[Trial],
    objectives: Sequence[Objective],
    bounds: Sequence[Constraint] = (),
    tolerance: float = TIE,
) -> Mapping[str, int]:
    """Return the number of the trial that each rule chooses from a front, best first; empty for an empty front."""
    if not members:
        return {}
    return {
        BEST: members[0].number,
        CHEAPEST: cheapest(members, objectives, tolerance).number,
        KNEE: knee(members, objectives, bounds).number,
    }


def tradeoff(best: Trial, chosen: Trial, objectives: Sequence[Objective]) -> str:
    """Return how the best trial differs from the chosen one, as text; empty if they are the same."""
    if best.number == chosen.number:
        return ""
    first, *others = objectives
    differences = [
        _difference(best, chosen, first.metric),
        *(_ratio(best, chosen, second.metric) for second in others[:1]),
    ]
    return f"best is trial {best.number}: {', '.join(differences)}; --prefer {BEST}"


def _floor(members: Sequence[Trial], objectives: Sequence[Objective], trial: Trial) -> bool:
    return floor_of(members, objectives[0]).holds(trial.values)


def _difference(best: Trial, chosen: Trial, metric: str) -> str:
    change = best.values[metric] - chosen.values[metric]
    return f"{'-' if change < 0 else '+'}{formatting.number(abs(change))} {metric}"


def _ratio(best: Trial, chosen: Trial, metric: str) -> str:
    high, low = best.values[metric], chosen.values[metric]
    if not (high > 0 and low > 0):
        return _difference(best, chosen, metric)
    ratio = high / low
    return f"{ratio:{',.0f' if ratio >= 100 else '.1f'}}x {'time' if metric.endswith('_seconds') else metric}"
