"""The sections of a study's report, and their order. Each function makes one from the record."""

from fersearch.formatting import listed
from fersearch.report.inputs import Record
from fersearch.report.parts import Page, Section
from fersearch.report.prose import plural
from fersearch.report.sections import facts, model, search
from fersearch.report.tables import number
from fersearch.trial import TrialState


def study(record: Record) -> Page:
    """Return the whole report of a study. Call it inside `plots.style.styled()`."""
    sections: list[Section] = [
        facts.summary(record),
        facts.protocol(record),
        search.history(record),
        search.front(record),
        search.parallel(record),
        search.importance(record),
        search.slices(record),
        model.learning(record),
        model.confusion(record),
        model.roc(record),
        model.mistakes(record),
        facts.costs(record),
        facts.trials(record),
        facts.failures(record),
        facts.environment(record),
    ]
    spec = record.spec
    return Page(
        title=spec.name,
        subtitle=f"Hyperparameter search of {listed(spec.architectures)} on {spec.dataset}",
        sections=sections,
        tiles=_tiles(record),
        footer=f"Written by fersearch {record.version} on {record.written:%Y-%m-%d %H:%M} UTC.",
    )


def _tiles(record: Record) -> list[tuple[str, str]]:
    first = record.objectives[0]
    complete = sum(trial.state is TrialState.COMPLETE for trial in record.trials)
    tiles = [(f"of {plural(len(record.trials), 'trial')} complete", f"{complete:,}")]
    if record.best is not None:
        tiles.insert(0, (f"best {first.label}", number(record.best.values[first.name])))
        tiles.append(("on the Pareto front", f"{len(record.front):,}"))
    return [*tiles, ("search time", _hours(record.seconds))]


def _hours(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
