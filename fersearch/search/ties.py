"""Costs that are as good as equal: by how much the same training costs more or less another time."""

from collections.abc import Iterable, Sequence
from statistics import mean, median, stdev

from fersearch.formatting import TIE, varies
from fersearch.study import Objective
from fersearch.trial import SPREAD, STD, Trial

WALL = "train_seconds"


def deviation_of(trained: Sequence[Trial], metric: str) -> float | None:
    """Return the relative deviation of a metric over trials of one configuration, or over the rounds of a single one.

    None where it was trained once, or the mean is not above 0.
    """
    values = [trial.values[metric] for trial in trained if metric in trial.values]
    if len(values) == 1:
        return _spread_of(trained[0], metric)
    return stdev(values) / mean(values) if values and mean(values) > 0 else None


def spread(trials: Iterable[Trial], metric: str) -> float:
    """Return the relative deviation of a metric from one training to the next: the median of what is known.

    It is known of trials with several rounds, and of those that a refit or a finish trained again. Where nothing was
    trained twice it is 5 % of what clocks and allocators give, and 0 of what is counted.
    """
    known = [own for trial in trials if (own := _spread_of(trial, metric)) is not None]
    return median(known) if known else TIE if varies(metric) else 0.0


def comparable(trial: Trial, objectives: Sequence[Objective]) -> list[float]:
    """Return the objectives as losses to break ties by: wall seconds that other work stretched do not count.

    In their place stand the CPU seconds per thread, which is what the training takes alone on its cores.
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
