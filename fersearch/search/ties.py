"""Tolerances of costs: how much the cost of the same training differs between runs."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean, median, stdev

from fersearch.formatting import TIE, varies
from fersearch.study import Objective
from fersearch.trial import SPREAD, STD, Trial

WALL = "train_seconds"


def deviation_of(trained: Sequence[Trial], metric: str) -> float | None:
    """Return the relative deviation of a metric over trials of one configuration, or over the rounds of a single one.

    None where there is only one training, or the mean is not above 0.
    """
    values = [trial.values[metric] for trial in trained if metric in trial.values]
    if len(values) == 1:
        return _spread_of(trained[0], metric)
    return stdev(values) / mean(values) if values and mean(values) > 0 else None


def spread(trials: Iterable[Trial], metric: str, earlier: Mapping[str, float]) -> float:
    """Return the relative deviation of a metric from one training to the next: the median of the known deviations.

    It is known for trials with several rounds, and for those that a refit or a finish trained again. Where no trial
    was trained twice it is that of `earlier` studies; else 5 % for metrics by clocks and allocators, and 0 for counted
    ones.
    """
    known = [own for trial in trials if (own := _spread_of(trial, metric)) is not None]
    return median(known) if known else earlier.get(metric, TIE) if varies(metric) else 0.0


def comparable(trial: Trial, objectives: Sequence[Objective]) -> list[float]:
    """Return the objectives as losses to break ties by, without wall seconds that other work on the machine stretched.

    They are replaced by the CPU seconds per thread, which the training takes when alone on its cores.
    """
    return [objective.loss(_undisturbed(trial, objective.metric)) for objective in objectives]


def _undisturbed(trial: Trial, metric: str) -> float:
    if metric != WALL or not trial.disturbed:
        return trial.values[metric]
    return trial.values["cpu_seconds"] / int(trial.attempts[-1].facts.get("threads", 1))


def _spread_of(trial: Trial, metric: str) -> float | None:
    if (again := trial.values.get(f"{metric}{SPREAD}")) is not None:
        return again
    deviation, value = trial.values.get(f"{metric}{STD}"), trial.values.get(metric, 0.0)
    return deviation / value if deviation is not None and value > 0 else None
