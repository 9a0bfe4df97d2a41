"""The page of a sweep over one parameter."""

from collections.abc import Sequence
from datetime import UTC, datetime

from matplotlib.figure import Figure

from fersearch.report import derive, rows
from fersearch.report.compare_sweep import Sweep, equal_elsewhere, equal_table, settings, table
from fersearch.report.parts import Fold, Missing, Page, Part, Plot, Section, Tabular, Text
from fersearch.report.plots.parameters import Column, slices
from fersearch.report.records import Measure, title
from fersearch.report.tables import number
from fersearch.report.words import plural
from fersearch.space import Value


def sweep(found: Sweep) -> Page:
    """The page of a sweep. Call it inside `plots.style.styled()`."""
    name, lead = title(found.factor), found.metrics[0]
    alone = equal_elsewhere(found)
    if alone:
        shown: list[Part] = [Text(settings(alone, found.factor)), Tabular(equal_table(found, alone, found.measures))]
    else:
        shown = [Missing(f"No two complete trials differ in {name} alone; the sampler `ofat` makes such trials.")]
    joined: list[Part] = [
        Text("Here the other parameters differ too, so a difference of means may be theirs."),
        Tabular(table(found, found.measures)),
        Plot("sweep", f"Metrics of complete trials by {name}.", _drawn(found)),
    ]
    every: list[Part] = [Fold("Every trial", [Tabular(rows.trials(found.record))])]
    return Page(
        title=f"{found.record.spec.name} by {name}",
        subtitle=f"One factor at a time: {found.record.spec.model} on {found.record.spec.dataset}",
        sections=[
            Section("equal", "All else equal", shown),
            Section("all", "All complete trials", joined),
            Section("trials", "All trials", every),
        ],
        tiles=_tiles(found, lead),
        footer=f"Written by fersearch {found.record.version} on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
    )


def _tiles(found: Sweep, lead: Measure) -> list[tuple[str, str]]:
    values = [value for trial in found.trials if (value := derive.finite(trial.values, lead.name)) is not None]
    best = max(values) if lead.direction == "max" else min(values)
    return [
        (f"best {lead.label}", number(best)),
        (f"with {title(found.factor)}", plural(len(found.trials), "trial")),
    ]


def _drawn(found: Sweep) -> Figure:
    lead = found.metrics[0]
    able = [trial for trial in found.trials if derive.finite(trial.values, lead.name) is not None]
    values = [trial.params[found.factor] for trial in able]
    column = Column(found.factor, values, log=_wide(values))
    alone = {trial.number for trial in equal_elsewhere(found)}
    results = [trial.values[lead.name] for trial in able]
    return slices(lead, results, [column], [trial.number in alone for trial in able], None)


def _wide(values: Sequence[Value]) -> bool:
    """Whether values are numbers of several magnitudes."""
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return len(numbers) == len(values) and min(numbers) > 0 and max(numbers) > 8 * min(numbers)
