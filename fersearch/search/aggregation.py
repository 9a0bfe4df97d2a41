"""The aggregation of a trial's recorded epochs, for its record and for the sampler."""

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from fersearch.components import Metric
from fersearch.space import Int, Params, Space, values_of
from fersearch.study import Objective
from fersearch.trial import Epoch, Trial, TrialState

Metrics = Mapping[str, Metric]


def planned_epochs(params: Params, otherwise: int) -> int:
    """Return the number of epochs of a configuration; `otherwise` if its space has no such dimension."""
    return int(params.get("epochs", otherwise))


def max_epochs(space: Space) -> int:
    """Return the most epochs of any configuration of a space; 1 if it has no such dimension."""
    if "epochs" not in space:
        return 1
    dimension = space["epochs"]
    return dimension.high if isinstance(dimension, Int) else max(int(value) for value in values_of(dimension))


def projected(value: float, metric: Metric | None, epoch: int, planned: int) -> float:
    """Return the value projected to the full budget of `planned` epochs if it is cumulative, else the value itself."""
    return value * planned / epoch if metric is not None and metric.cumulative else value


def best_epoch(epochs: Mapping[int, Epoch], first: Objective) -> int | None:
    """Return the number of the best epoch by an objective, the earliest of equals; None if it is never defined."""
    losses = {n: first.loss(epoch.values.get(first.metric, math.nan)) for n, epoch in epochs.items()}
    defined = {n: loss for n, loss in losses.items() if math.isfinite(loss)}
    return min(defined, key=lambda n: (defined[n], n), default=None)


def by_round(epochs: Mapping[int, Epoch]) -> dict[int, dict[int, Epoch]]:
    """Return a trial's epochs by round and number, without an incomplete round where another is complete."""
    rounds: dict[int, dict[int, Epoch]] = {}
    for number, epoch in sorted(epochs.items()):
        rounds.setdefault(epoch.round, {})[number] = epoch
    whole = {number: own for number, own in rounds.items() if any(epoch.last for epoch in own.values())}
    return whole or rounds


def round_values(epochs: Mapping[int, Epoch], first: Objective, metrics: Metrics) -> list[dict[str, float]]:
    """Return the values of each round: those of its best epoch by the first objective, costs of the whole round."""
    return [_values_of_epoch(own, best_epoch(own, first), metrics) for own in by_round(epochs).values()]


def trial_values(
    epochs: Mapping[int, Epoch], kept_epoch: int | None, first: Objective, metrics: Metrics
) -> dict[str, float]:
    """Return a trial's values: those of its kept epoch; costs of the whole trial from its last one.

    Of a trial with several rounds every value is the mean over the rounds, and `NAME_std` beside it their standard
    deviation (of a sample). Numbers that are not finite are left out: a metric that is undefined has no value.
    """
    if not epochs:
        return {}
    if len(by_round(epochs)) == 1:
        return _values_of_epoch(epochs, kept_epoch or best_epoch(epochs, first), metrics)
    rounds = round_values(epochs, first, metrics)
    means: dict[str, float] = {}
    for name in dict.fromkeys(name for values in rounds for name in values):
        numbers = [values[name] for values in rounds if name in values]
        means[name] = mean(numbers)
        if len(numbers) > 1:
            means[f"{name}_std"] = stdev(numbers)
    return means


def mean_of_rounds(last: Epoch, epochs: Mapping[int, Epoch], first: Objective, metrics: Metrics) -> Epoch:
    """Return the epoch that a trial is compared on after the last epoch of a round: the mean of the rounds so far."""
    return Epoch(last.round, trial_values(epochs, None, first, metrics), last.seconds)


def _values_of_epoch(epochs: Mapping[int, Epoch], kept_epoch: int | None, metrics: Metrics) -> dict[str, float]:
    last = epochs[max(epochs)]
    whole = {name: value for name, value in last.values.items() if _of_whole_trial(metrics.get(name))}
    best = epochs.get(kept_epoch or last.number, last).values
    values = {name: whole.get(name, value) for name, value in best.items()} | whole
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def undefined(values: Mapping[str, float], objectives: Sequence[Objective]) -> str:
    """Return one line that names the objectives without a finite value; empty if all have one."""
    names = [objective.metric for objective in objectives if not math.isfinite(values.get(objective.metric, math.nan))]
    return f"no finite value of {', '.join(names)}" if names else ""


def values_at_end(trial: Trial, metrics: Metrics, in_rounds: bool) -> dict[str, float]:
    """Return a trial's values, with the cumulative costs of one that was stopped early projected to its full budget.

    The values of a trial stopped between rounds are returned unchanged, since its costs are those of whole rounds.
    """
    if trial.state is not TrialState.PRUNED or in_rounds or not trial.epochs:
        return dict(trial.values)
    planned = planned_epochs(trial.params, trial.epochs)
    return {name: projected(one, metrics.get(name), trial.epochs, planned) for name, one in trial.values.items()}


def sampler_values(
    trial: Trial, objectives: Sequence[Objective], metrics: Metrics, in_rounds: bool = False
) -> list[float] | None:
    """Return the values that the sampler gets of a trial that ended; None stands for a failure.

    A pruned trial has its measured values, with costs projected to the end of training: with those of its stopped
    training it would look cheaper than it is.
    """
    if trial.state not in (TrialState.COMPLETE, TrialState.PRUNED) or undefined(trial.values, objectives):
        return None
    values = values_at_end(trial, metrics, in_rounds)
    return [float(values[objective.metric]) for objective in objectives]


def _of_whole_trial(metric: Metric | None) -> bool:
    return metric is not None and (metric.whole_trial or metric.cumulative)
