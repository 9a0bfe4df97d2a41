"""The sections on the course of the search and its parameters."""

import math
from collections.abc import Sequence

from fersearch.report import derive, study_tables
from fersearch.report.inputs import Absent, Importance, Measure, Record, title
from fersearch.report.parts import Fold, Missing, Part, Plot, Section, Tabular, Text
from fersearch.report.plots.bars import bars
from fersearch.report.plots.curves import history as draw_history
from fersearch.report.plots.parameters import NAMED, Column, pareto
from fersearch.report.plots.parameters import importance as draw_importance
from fersearch.report.plots.parameters import parallel as draw_parallel
from fersearch.report.plots.parameters import slices as draw_slices
from fersearch.report.tables import Table
from fersearch.space import Choice
from fersearch.trial import Trial, TrialState

AXES = 9
"""Maximum number of parameters in a parallel plot: the most important ones."""
MEMBERS = 10
"""Maximum number of front members that are drawn as bars."""


def history(record: Record) -> Section:
    """Return every trial's objectives in order."""
    if not any(trial.values for trial in record.trials):
        return Section("history", "Optimisation history", [Missing("No trial has a value yet.")])
    caption = (
        "Each objective by trial. Arrows show which way is better; pruned trials are shown with their last values."
    )
    figure = draw_history(record.objectives, record.trials, record.baseline)
    return Section("history", "Optimisation history", [Plot("history", caption, figure)])


def front(record: Record) -> Section:
    """Return the Pareto front as points, table and bars."""
    name = "Pareto front"
    if record.best is None:
        return Section("front", name, [Missing("No trial is complete, so there is no front.")])
    first, *others = record.objectives
    parts: list[Part] = [Tabular(study_tables.architectures(record))] if record.spec.one_study else []
    if others:
        named = "; numbers are trials" if len(record.front) <= NAMED else ""
        caption = f"Complete trials by {first.label} and each other objective{named}."
        figure = pareto(first, others, record.trials, record.front, record.baseline)
        parts.append(Plot("front", caption, figure))
    else:
        parts.append(Text(f"The study has a single objective, {first.label}: its front is its best trial."))
    if not record.front:
        return Section("front", name, [*parts, Missing("No complete trial is better than the majority baseline.")])
    return Section("front", name, [*parts, Tabular(study_tables.front(record)), *_bars(record)])


def parallel(record: Record) -> Section:
    """Return each trial as a line through its parameters."""
    name, first = "Parallel coordinates", record.objectives[0]
    trials, names = _searched(record)
    if not names:
        return Section("parallel", name, [_too_few(trials)])
    columns = [_column(record, trials, one) for one in names[:AXES]]
    results = [trial.values[first.name] for trial in trials]
    left = f" The {len(names)} parameters that vary are limited to the first {AXES}." if len(names) > AXES else ""
    caption = (
        f"Each line is a complete trial: its parameters and its {first.label}; n/a: the parameter does not apply.{left}"
    )
    return Section("parallel", name, [Plot("parallel", caption, draw_parallel(first, results, columns))])


def importance(record: Record) -> Section:
    """Return the importance of each parameter for each objective."""
    name = "Parameter importance"
    if isinstance(record.importance, Absent):
        return Section("importance", name, [Missing(record.importance.why)])
    shares = {record.measure(one.metric).label: _most(one) for one in record.importance}
    method = record.importance[0].method
    caption = (
        f"Importance by {method} over the parameters that every complete trial has; shares of one objective sum to 1."
    )
    names = list(dict.fromkeys(parameter for one in record.importance for parameter in one.shares))
    rows = [[title(parameter), *(one.shares.get(parameter) for one in record.importance)] for parameter in names]
    table = Table("importance", f"Parameter importance by {method}.", ["Parameter", *shares], rows)
    parts: list[Part] = [Plot("importance", caption, draw_importance(shares)), Fold("As a table", [Tabular(table)])]
    return Section("importance", name, parts)


def slices(record: Record) -> Section:
    """Return each objective against each parameter."""
    trials, names = _searched(record)
    if not names:
        return Section("slices", "Slices", [_too_few(trials)])
    columns = [_column(record, trials, one) for one in names]
    drawn = [_slices(record, measure, trials, columns) for measure in record.objectives]
    parts: list[Part] = [drawn[0], *(Fold(plot.caption, [plot]) for plot in drawn[1:])]
    return Section("slices", "Slices", parts)


def _slices(record: Record, measure: Measure, trials: Sequence[Trial], columns: Sequence[Column]) -> Plot:
    members = {trial.number for trial in record.front}
    rows = [i for i, trial in enumerate(trials) if derive.finite(trial.values, measure.name) is not None]
    shown = [Column(column.name, [column.values[i] for i in rows], column.log) for column in columns]
    figure = draw_slices(
        measure,
        [trials[i].values[measure.name] for i in rows],
        [column for column in shown if any(value is not None for value in column.values)],
        [trials[i].number in members for i in rows],
        record.baseline.get(measure.name),
    )
    return Plot(f"slices-{measure.name}", f"{measure.label} against each parameter; red: the front.", figure)


def _bars(record: Record) -> list[Part]:
    members = list(record.front)[:MEMBERS]
    names = [f"trial {trial.number}" for trial in members]
    quality = [name for name in study_tables.QUALITY if all(derive.finite(t.values, name) is not None for t in members)]
    shown = [
        name for name in ("accuracy", "f1_macro", "precision_macro", "recall_macro", "auc_macro") if name in quality
    ]
    parts: list[Part] = []
    if shown:
        series = {record.measure(name).label: [trial.values[name] for trial in members] for name in shown}
        errors = {
            record.measure(name).label: [t.values.get(f"{name}_std", math.nan) for t in members] for name in shown
        }
        caption = (
            "Scores of the front's trials on validation; whiskers are standard deviations over rounds, if several."
        )
        parts.append(Plot("front-scores", caption, bars(names, series, "score", errors=errors)))
    return parts


def _searched(record: Record) -> tuple[list[Trial], list[str]]:
    """Return complete trials with the first objective, and the differing parameters, the most important first."""
    first = record.objectives[0].name
    trials = [
        trial
        for trial in record.trials
        if trial.state is TrialState.COMPLETE and derive.finite(trial.values, first) is not None
    ]
    names = derive.varying(trials) if len(trials) > 1 else []
    known = {} if isinstance(record.importance, Absent) else record.importance[0].shares
    return trials, sorted(names, key=lambda name: -known.get(name, -1.0))


def _column(record: Record, trials: Sequence[Trial], name: str) -> Column:
    dimension = record.spec.space.dimensions.get(name)
    log = dimension is not None and not isinstance(dimension, Choice) and dimension.log
    return Column(name, [trial.params.get(name) for trial in trials], log)


def _most(importance_of: Importance, count: int = 12) -> dict[str, float]:
    ranked = sorted(importance_of.shares.items(), key=lambda pair: -pair[1])
    return dict(ranked[:count])


def _too_few(trials: Sequence[Trial]) -> Missing:
    if len(trials) < 2:
        return Missing(f"It takes at least two complete trials, and there {'is one' if trials else 'are none'}.")
    return Missing("Every complete trial has the same parameters.")
