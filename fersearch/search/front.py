"""The trials that stand on a study's Pareto front."""

import math
from collections.abc import Iterable, Mapping, Sequence

from fersearch import pareto
from fersearch.search.values import undefined
from fersearch.study import Constraint, Objective
from fersearch.trial import Trial, TrialState


def front(
    trials: Iterable[Trial],
    objectives: Sequence[Objective],
    baseline: Mapping[str, float],
    constraints: Sequence[Constraint] = (),
) -> list[Trial]:
    """The non-dominated complete trials, best first by the first objective, then the next ones, then number.

    `baseline` holds what always naming the commonest class scores on each predictive metric; a
    trial that is no better than that by the first predictive objective does not stand on the
    front. Trials that break a constraint do not either. Dominance is exact.
    """
    able = [
        trial
        for trial in trials
        if trial.state is TrialState.COMPLETE
        and not undefined(trial.values, objectives)
        and beats_baseline(trial, objectives, baseline)
        and all(constraint.holds(trial.values) for constraint in constraints)
    ]
    first = pareto.non_dominated([losses(trial, objectives) for trial in able])
    return sorted((able[i] for i in first), key=lambda trial: (losses(trial, objectives), trial.number))


def losses(trial: Trial, objectives: Sequence[Objective]) -> list[float]:
    """The trial's objectives as numbers to minimise."""
    return [objective.loss(trial.values[objective.metric]) for objective in objectives]


def beats_baseline(trial: Trial, objectives: Sequence[Objective], baseline: Mapping[str, float]) -> bool:
    """Whether the trial is better than the baseline by its first predictive objective (true if there is none)."""
    for objective in objectives:
        if objective.metric in baseline:
            bar = objective.loss(baseline[objective.metric])
            return not math.isfinite(bar) or objective.loss(trial.values[objective.metric]) < bar
    return True
