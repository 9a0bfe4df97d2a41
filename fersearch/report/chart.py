"""The data of the service's charts of a study and a trial, from the same rows as a report."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fersearch import pareto
from fersearch.report import derive
from fersearch.report.derive import ClassScore, Matrix
from fersearch.report.inputs import Measure
from fersearch.search.aggregation import undefined
from fersearch.search.front import beats_baseline, losses
from fersearch.store import StudyRow
from fersearch.study import ARCHITECTURE, Objective
from fersearch.study_front import front_of, may_count
from fersearch.trial import Epoch, Trial, TrialState, of_data

Entry = TypeVar("Entry")
SHOWN = ("accuracy", "train_seconds", "cpu_seconds", "peak_memory_mb", "latency_ms", "parameters", "model_mb")
"""Metrics that a chart shows besides the objectives, where trials have them."""
DIGITS = 5
"""Significant digits of a value: more than a screen shows."""
LAST = 50
"""Number of the trials stopped early whose reason is included."""


@dataclass(frozen=True)
class StudyChart:
    """A study's trials by columns, its front, and how its hypervolume grew.

    `hypervolume` holds for each trial that moved the front the number of ended trials and the front's share of today's
    volume, with the worst values of all complete trials as the reference point. `stopped` has the verdicts on the last
    trials that were stopped early, `picks` the trials that the rules of `checkpoint pull` pick. `disturbed` and
    `rough_latency` are the ended trials whose times, or latencies, other work disturbed. `source` is what it was
    made of: about the study, and its trials.
    """

    objectives: Sequence[Objective]
    measures: Mapping[str, Measure]
    numbers: Sequence[int]
    states: Sequence[str]
    epochs: Sequence[int]
    values: Mapping[str, Sequence[float | None]]
    params: Mapping[str, Sequence[object]]
    front: Sequence[int]
    hypervolume: Sequence[tuple[int, float]]
    stopped: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    picks: Mapping[str, int] = field(default_factory=dict)
    disturbed: Sequence[int] = field(default_factory=list)
    rough_latency: Sequence[int] = field(default_factory=list)
    source: tuple[object, Sequence[Trial]] = field(default=((), ()), compare=False, repr=False)


@dataclass(frozen=True)
class TrialChart:
    """A trial's confusion matrix at its kept epoch (the true class by row) and the scores that follow from it."""

    classes: Sequence[str]
    confusion: Matrix | None
    scores: Sequence[ClassScore]


def study_chart(
    study: StudyRow, every: Sequence[Trial], measures: Mapping[str, Measure], before: StudyChart | None = None
) -> StudyChart:
    """Return the chart data of a study; trials on earlier data are left out.

    An earlier chart of the study spares the entries of the trials that have not changed since, and the front with all
    that depends on it unless a trial has changed that may count for it.
    """
    trials = of_data(every, study.data_digest)
    objectives = study.spec.objectives
    about = (study.spec, study.baseline, study.data_digest, measures)
    named = dict.fromkeys([*(objective.metric for objective in objectives), *SHOWN])
    metrics = [name for name in named if any(name in trial.values for trial in trials)]
    if before is None or before.source[0] != about or len(before.numbers) > len(trials):
        before = StudyChart(objectives, {}, [], [], [], {}, {}, [], [], source=(about, ()))
    earlier = before.source[1]
    changed = _changed(earlier, trials)
    has_same_params = all(place < len(earlier) and earlier[place].params == trials[place].params for place in changed)
    params = list(before.params) if has_same_params else _shown_params(study, trials)
    columns = _columns(before, trials, metrics, params, changed)
    columns = replace(
        columns,
        measures={name: measures.get(name, Measure(name)) for name in metrics},
        baseline={name: study.baseline[name] for name in metrics if name in study.baseline},
    )
    if not any(_may_count(one) for place in changed for one in (*earlier[place : place + 1], trials[place])):
        return columns
    feasible = [trial for trial in trials if study.spec.keeps_bounds(trial.values)]
    stopped = [trial for trial in trials if trial.state is TrialState.PRUNED][-LAST:]
    best = front_of(study, every)
    return replace(
        columns,
        front=[trial.number for trial in best.trials],
        hypervolume=hypervolume_history(feasible, objectives, study.baseline),
        stopped={trial.number: trial.verdict for trial in stopped},
        picks=best.picks,
        disturbed=[trial.number for trial in trials if trial.state.ended and trial.disturbed],
        rough_latency=[trial.number for trial in trials if trial.state.ended and trial.rough_latency],
    )


def _shown_params(study: StudyRow, trials: Sequence[Trial]) -> list[str]:
    """Return the parameters that differ between trials, and the architecture where one study searches several."""
    return list(dict.fromkeys([*([ARCHITECTURE] if study.spec.one_study else ()), *derive.varying(trials)]))


def _changed(before: Sequence[Trial], trials: Sequence[Trial]) -> list[int]:
    """Return the places of new trials, and of those that are not the same object as before."""
    pairs = enumerate(zip_longest(before, trials))
    return [place for place, (old, new) in pairs if old is not new]


def _may_count(trial: Trial) -> bool:
    """Return whether a trial may count for the front, its growth or the list of stopped trials."""
    return trial.state.ended or may_count(trial)


def _columns(
    chart: StudyChart, trials: Sequence[Trial], metrics: Iterable[str], params: Iterable[str], changed: Sequence[int]
) -> StudyChart:
    """Return a chart with columns of all trials; entries at other places than the changed ones are taken from it."""

    def column(entry: Callable[[Trial], Entry], old: Sequence[Entry] | None) -> list[Entry]:
        if old is None:
            return [entry(trial) for trial in trials]
        new = {place: entry(trials[place]) for place in changed}
        return [new[place] if place in new else old[place] for place in range(len(trials))]

    return replace(
        chart,
        numbers=column(lambda trial: trial.number, chart.numbers),
        states=column(lambda trial: trial.state.value, chart.states),
        epochs=column(lambda trial: trial.epochs, chart.epochs),
        values={name: column(partial(_value, name), chart.values.get(name)) for name in metrics},
        params={name: column(partial(_param, name), chart.params.get(name)) for name in params},
        source=(chart.source[0], trials),
    )


def _value(name: str, trial: Trial) -> float | None:
    return _rounded(trial.values.get(name))


def _param(name: str, trial: Trial) -> object:
    value = trial.params.get(name)
    return _rounded(value) if isinstance(value, float) else value


def hypervolume_history(
    trials: Iterable[Trial], objectives: Sequence[Objective], baseline: Mapping[str, float]
) -> list[tuple[int, float]]:
    """Return pairs (trials that had ended, share of the last hypervolume), one for each trial that moved the front."""
    ended = [trial for trial in trials if trial.state.ended]
    complete = [one for one in ended if one.state is TrialState.COMPLETE and not undefined(one.values, objectives)]
    if not complete:
        return []
    values = {trial.number: losses(trial, objectives) for trial in complete}
    corner = pareto.reference_behind(list(values.values()))
    rivals = {trial.number for trial in complete if beats_baseline(trial, objectives, baseline)}
    counts = np.array([count for count, trial in enumerate(ended, start=1) if trial.number in rivals], dtype=int)
    points = np.array([values[trial.number] for trial in ended if trial.number in rivals])
    standing = np.empty((0, len(objectives)))
    volume, volumes = 0.0, []
    while len(points):  # the first one moves the front, for what others before it dominate has been left out
        point = points[0]
        volume += pareto.hypervolume_gain(standing, point.tolist(), corner)
        volumes.append((int(counts[0]), volume))
        standing = np.vstack([standing[~_dominated(standing, point)], point])
        remaining = ~_dominated(points[1:], point)
        counts, points = counts[1:][remaining], points[1:][remaining]
    whole = volumes[-1][1] if volumes else 0.0
    return [(count, volume / whole) for count, volume in volumes] if whole > 0 else []


def _dominated(points: pareto.Matrix, by: pareto.Matrix) -> npt.NDArray[np.bool_]:
    beaten = np.less_equal(by, points).all(axis=1) & np.less(by, points).any(axis=1)
    return np.asarray(beaten, dtype=bool)


def trial_chart(study: StudyRow, history: Sequence[Epoch]) -> TrialChart:
    """Return a trial's confusion matrix and class scores; without them where it recorded no matrix."""
    classes = [str(name) for name in study.data.get("seen", {}).get("classes", ())]
    matrix = derive.confusion(history, study.spec.objectives[0])
    if matrix is None or len(matrix) != len(classes):
        return TrialChart(classes, matrix, ())
    return TrialChart(classes, matrix, derive.class_scores(matrix, classes))


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
