"""The bounds of a study during the search: which trials break them, by how much, and when the search gives up."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from fersearch.components import Metric
from fersearch.formatting import number
from fersearch.search.aggregation import projected, values_at_end
from fersearch.study import Constraint, StudySpec
from fersearch.trial import LATENCY, ROUGH_MARGIN, Epoch, Trial, TrialState

MAX_IN_A_ROW = 50
"""Number of trials in a row that may break a bound before training; then the search gives up."""

TIMES_BUDGET = 10
"""Number of those in total, in units of the budget."""


class Allowance:
    """The count of trials that broke a bound before training, which the budget does not count.

    Those of before the study's last change do not use it up, since other trials may follow them.
    """

    def __init__(self, spec: StudySpec) -> None:
        self._spec, self._most = spec, TIMES_BUDGET * spec.budget.trials
        self._first = spec.changes[-1].trials if spec.changes else 0
        self.untrained = self._since = self._in_a_row = 0

    @property
    def used_up(self) -> bool:
        """Whether there were too many of them to try another trial."""
        return self._in_a_row >= MAX_IN_A_ROW or self._since >= self._most

    def count(self, trial: Trial) -> None:
        """Count a trial that ended."""
        more = self._spec.uncounted(int(trial.untrained))
        self.untrained += more
        if trial.number >= self._first:
            self._since += more
            self._in_a_row = self._in_a_row + 1 if more else 0


def excesses(bounds: Sequence[Constraint], values: Mapping[str, float]) -> dict[str, float]:
    """Return by how much each bound is broken, as a share of the bound, negative where it holds; known values only."""
    return {str(bound): _excess(bound, values[bound.metric]) for bound in bounds if bound.metric in values}


def sampler_excesses(trial: Trial, spec: StudySpec, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Return by how much an ended trial breaks its bounds, for the sampler.

    A stopped trial has its costs projected to the end of training, and no predictive metric, as those may still
    improve; a failed one has no excesses.
    """
    if trial.state is TrialState.COMPLETE or trial.untrained:
        return excesses(spec.where, trial.values)
    if trial.state is not TrialState.PRUNED:
        return {}
    values = values_at_end(trial, metrics, spec.protocol.in_rounds)
    return excesses(spec.where, {name: values[name] for name in values if name in metrics and metrics[name].measured})


def with_latency_margin(trial: Trial, bounds: Sequence[Constraint]) -> Trial:
    """Return a trial with its rough latency set to the bounds that it breaks by less than the margin."""
    if not trial.rough_latency:
        return trial
    values = dict(trial.values)
    for bound in bounds:
        value = values[LATENCY]
        if bound.metric != LATENCY or bound.holds(values):
            continue
        if bound.holds({LATENCY: value / ROUGH_MARGIN if bound.op == "<=" else value * ROUGH_MARGIN}):
            values[LATENCY] = bound.bound
    return replace(trial, values=values)


def broken(bounds: Sequence[Constraint], values: Mapping[str, float]) -> str:
    """Return one line that names the broken bounds of known values; empty if none is."""
    violations = [
        f"{bound.metric} {number(values[bound.metric])} breaks {bound}"
        for bound in bounds
        if bound.metric in values and not bound.holds(values)
    ]
    return ", ".join(violations)


def projected_to_break(bounds: Sequence[Constraint], metrics: Mapping[str, Metric], epoch: Epoch, planned: int) -> str:
    """Return one line that names the bounds that costs will break by the end of training; empty if none."""
    costs = {
        bound.metric: projected(epoch.values[bound.metric], metrics[bound.metric], epoch.number, planned)
        for bound in bounds
        if bound.metric in epoch.values and bound.metric in metrics and _is_of_training(metrics[bound.metric])
    }
    return broken([bound for bound in bounds if bound.metric in costs], costs)


def nearest(bounds: Sequence[Constraint], trials: Iterable[Trial]) -> Trial | None:
    """Return the infeasible trial that breaks its bounds the least; None if no value of any is known."""
    measured = [trial for trial in trials if trial.untrained and excesses(bounds, trial.values)]
    return min(measured, key=lambda trial: (_total(bounds, trial), trial.number), default=None)


def stop_reason(allowance: Allowance, bounds: Sequence[Constraint], trials: Iterable[Trial]) -> str:
    """Return one line with the reason why a search gave up, and the trial that came nearest to the bounds."""
    closest = nearest(bounds, trials)
    nearest_trial = f"; trial {closest.number} came nearest: {broken(bounds, closest.values)}" if closest else ""
    return f"{allowance.untrained} trials broke a bound before training{nearest_trial}"


def _total(bounds: Sequence[Constraint], trial: Trial) -> float:
    return sum(max(0.0, excess) for excess in excesses(bounds, trial.values).values())


def _excess(bound: Constraint, value: float) -> float:
    if math.isnan(value):
        return math.inf
    beyond = value - bound.bound if bound.op == "<=" else bound.bound - value
    return beyond / (abs(bound.bound) or 1.0)


def _is_of_training(metric: Metric) -> bool:
    return metric.measured and (metric.cumulative or metric.whole_trial)
