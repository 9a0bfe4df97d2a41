"""One factor at a time: the trials of a study by the values of one parameter, and the page that shows them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise

from matplotlib.figure import Figure

from fersearch.formatting import listed
from fersearch.report import derive, study_tables
from fersearch.report.comparison.entries import COSTS
from fersearch.report.inputs import Measure, Record, title
from fersearch.report.parts import Fold, Missing, Page, Part, Plot, Section, Tabular, Text
from fersearch.report.plots.parameters import Column, slices
from fersearch.report.prose import plural
from fersearch.report.tables import Cell, Spread, Table, number
from fersearch.space import Choice, Value
from fersearch.trial import Trial

MANY = 12
BINS = 5
Bin = tuple[str, list[Trial]]


@dataclass(frozen=True)
class Sweep:
    """The complete trials of a study, the parameter to group them by, and the metrics to show for each value."""

    record: Record
    factor: str
    metrics: Sequence[Measure]

    @cached_property
    def trials(self) -> list[Trial]:
        """The complete trials that have the parameter."""
        complete = derive.best_first(self.record.trials, self.record.spec.objectives[0])
        return sorted((trial for trial in complete if self.factor in trial.params), key=lambda trial: trial.number)

    @property
    def measures(self) -> list[Measure]:
        """The metrics, then time and memory."""
        named = {measure.name for measure in self.metrics}
        costs = [name for name in COSTS if name not in named and any(name in trial.values for trial in self.trials)]
        return [*self.metrics, *(self.record.measure(name) for name in costs)]


def bins(result: Sweep) -> list[Bin]:
    """Return the trials by value, in order; many different numbers are divided into ranges of about as many trials."""
    by_value: dict[Value, list[Trial]] = {}
    for trial in result.trials:
        by_value.setdefault(trial.params[result.factor], []).append(trial)
    values = _ordered(result, list(by_value))
    if len(values) <= MANY or not _numeric(values):
        return [(_text(value), by_value[value]) for value in values]
    trials = [trial for value in values for trial in by_value[value]]
    edges = [round(i * len(trials) / BINS) for i in range(BINS + 1)]
    parts = [trials[low:high] for low, high in pairwise(edges) if high > low]
    return [
        (f"{_text(part[0].params[result.factor])} to {_text(part[-1].params[result.factor])}", part) for part in parts
    ]


def equal_elsewhere(result: Sweep) -> list[Trial]:
    """Return the largest set of trials that differ only in this parameter, in its order; empty if no two do.

    Parameters that apply only under one value of the factor may differ with it.
    """
    below = {name for name, one in result.record.spec.space.dimensions.items() if result.factor in one.when}
    alike: dict[str, list[Trial]] = {}
    for trial in result.trials:
        rest = {name: value for name, value in trial.params.items() if name != result.factor and name not in below}
        alike.setdefault(repr(sorted(rest.items())), []).append(trial)
    most = max(alike.values(), key=lambda one: len({repr(t.params[result.factor]) for t in one}), default=[])
    order = _ordered(result, list(dict.fromkeys(trial.params[result.factor] for trial in most)))
    ranked = sorted(most, key=lambda trial: (order.index(trial.params[result.factor]), trial.number))
    return ranked if len(order) > 1 else []


def table(result: Sweep, measures: Sequence[Measure]) -> Table:
    """Return for each value the number of trials, mean ± deviation and best of the first metric, and other means."""
    lead, *others = measures
    cells: list[list[Cell]] = []
    for name, trials in bins(result):
        first = [value for trial in trials if (value := derive.finite(trial.values, lead.name)) is not None]
        best = (max(first) if lead.direction == "max" else min(first)) if first else None
        cells.append([name, len(trials), _mean(trials, lead), best, *(_mean(trials, measure) for measure in others)])
    marked = {(place, 3)} if (place := _best([row[3] for row in cells], lead)) is not None else set()
    columns = [title(result.factor), "Trials", lead.heading, f"Best {lead.label}", *(m.heading for m in others)]
    by = f"{result.record.spec.name} by {title(result.factor)}"
    caption = f"Complete trials of {by}: mean ± standard deviation over trials."
    return Table("sweep", caption, columns, cells, frozenset(marked))


def equal_table(result: Sweep, trials: Sequence[Trial], measures: Sequence[Measure]) -> Table:
    """Return the trials that differ only in the factor, one row each."""
    cells: list[list[Cell]] = [
        [_text(trial.params[result.factor]), trial.number, *(study_tables.measured(trial, m.name) for m in measures)]
        for trial in trials
    ]
    lead = result.metrics[0]
    place = _best([derive.finite(trial.values, lead.name) for trial in trials], lead)
    marked = frozenset({(place, 2)} if place is not None else ())
    columns = [title(result.factor), "Trial", *(measure.heading for measure in measures)]
    caption = f"Trials that differ only in {title(result.factor)}."
    return Table("equal-elsewhere", caption, columns, cells, marked)


def settings(trials: Sequence[Trial], factor: str) -> str:
    """Return a sentence on the parameters that trials which differ only in the factor have in common."""
    same = [name for name in trials[0].params if name != factor and name not in derive.varying(trials)]
    return f"Equal in all of them: {', '.join(f'{name} {_text(trials[0].params[name])}' for name in same)}."


def _mean(trials: Sequence[Trial], measure: Measure) -> Cell:
    mean, std = derive.spread(trial.values.get(measure.name, math.nan) for trial in trials)
    return None if math.isnan(mean) else mean if math.isnan(std) else Spread(mean, std)


def _best(values: Sequence[Cell], measure: Measure) -> int | None:
    defined = [(value, i) for i, value in enumerate(values) if isinstance(value, int | float)]
    if len(defined) < 2:
        return None
    sign = -1 if measure.direction == "max" else 1
    return min(defined, key=lambda pair: (sign * pair[0], pair[1]))[1]


def _ordered(result: Sweep, values: list[Value]) -> list[Value]:
    """Return numbers sorted by size, options in the order of the space."""
    dimension = result.record.spec.space.dimensions.get(result.factor)
    if _numeric(values):
        return sorted(values, key=float)
    options = list(dimension.options) if isinstance(dimension, Choice) else []
    return sorted(values, key=lambda value: (options.index(value) if value in options else len(options), str(value)))


def _numeric(values: Sequence[Value]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:.4g}" if isinstance(value, float) else str(value)


def sweep(result: Sweep) -> Page:
    """Return the page of a sweep. Call it inside `plots.style.styled()`."""
    name, lead = title(result.factor), result.metrics[0]
    alone = equal_elsewhere(result)
    if alone:
        shown: list[Part] = [Text(settings(alone, result.factor)), Tabular(equal_table(result, alone, result.measures))]
    else:
        shown = [Missing(f"No two complete trials differ only in {name}; the sampler `ofat` makes such trials.")]
    joined: list[Part] = [
        Text("The other parameters differ here as well, so they may explain a difference between means."),
        Tabular(table(result, result.measures)),
        Plot("sweep", f"Metrics of complete trials by {name}.", _drawn(result)),
    ]
    every: list[Part] = [Fold("Every trial", [Tabular(study_tables.trials(result.record))])]
    return Page(
        title=f"{result.record.spec.name} by {name}",
        subtitle=f"One factor at a time: {listed(result.record.spec.architectures)} on {result.record.spec.dataset}",
        sections=[
            Section("equal", "All else equal", shown),
            Section("all", "All complete trials", joined),
            Section("trials", "All trials", every),
        ],
        tiles=_tiles(result, lead),
        footer=f"Written by fersearch {result.record.version} on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
    )


def _tiles(result: Sweep, lead: Measure) -> list[tuple[str, str]]:
    values = [value for trial in result.trials if (value := derive.finite(trial.values, lead.name)) is not None]
    best = max(values) if lead.direction == "max" else min(values)
    return [
        (f"best {lead.label}", number(best)),
        (f"with {title(result.factor)}", plural(len(result.trials), "trial")),
    ]


def _drawn(result: Sweep) -> Figure:
    lead = result.metrics[0]
    defined = [trial for trial in result.trials if derive.finite(trial.values, lead.name) is not None]
    values = [trial.params[result.factor] for trial in defined]
    column = Column(result.factor, values, log=_wide(values))
    alone = {trial.number for trial in equal_elsewhere(result)}
    results = [trial.values[lead.name] for trial in defined]
    return slices(lead, results, [column], [trial.number in alone for trial in defined], None)


def _wide(values: Sequence[Value]) -> bool:
    """Return whether values are numbers of several magnitudes."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and min(numbers) > 0 and max(numbers) > 8 * min(numbers)
