"""Comparisons: studies side by side with paired tests, and one study by the values of one parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fersearch
from fersearch.artifacts import Artifacts
from fersearch.context import components, components_of, matching_studies, open_store, require_trusted
from fersearch.errors import FersearchError, UsageError, lookup
from fersearch.home import artifacts_folder
from fersearch.report import derive, writer
from fersearch.report.comparison.entries import SCORES, Comparison, Entry
from fersearch.report.comparison.sweep import Sweep
from fersearch.report.folder import Written, check_folder
from fersearch.report.inputs import Absent, Measure, Record
from fersearch.search.aggregation import by_round, round_values
from fersearch.store import Store, StudyRow
from fersearch.study_front import front_of
from fersearch.training.card import read_card
from fersearch.trial import Trial, is_spread, of_data

if TYPE_CHECKING:
    from fersearch.components import Metric
    from fersearch.plugins import PluginFile
    from fersearch.report.shown import Grid, Line


CURVES = ("train_loss",)
Metrics = Mapping[str, "Metric"]


@dataclass(frozen=True)
class Compared:
    """The result of a comparison, and the files of its page (None: not written)."""

    result: Comparison
    written: Written | None = None

    def shown(self) -> list["Grid | Line"]:
        """Return the result as lines and grids."""
        from fersearch.report.comparison import screen

        return screen.comparison(self.result)


@dataclass(frozen=True)
class Swept:
    """The result of a sweep, and the files of its page (None: not written)."""

    result: Sweep
    written: Written | None = None

    def shown(self) -> list["Grid | Line"]:
        """Return the result as lines and grids."""
        from fersearch.report.comparison import screen

        return screen.factor(self.result)


def compare_studies(
    patterns: Sequence[str],
    *,
    metrics: Sequence[str] = (),
    by: str = "trial",
    trials: Mapping[str, int] | None = None,
    out: Path | None = None,
    force: bool = False,
    storage: str | None = None,
) -> Compared:
    """Compare studies: scores, costs, paired tests over folds or repeats, classes.

    Args:
        patterns: names of studies, or names with `*`.
        metrics: the metrics to compare by, most important first; default the first study's first objective and scores.
        by: `trial` represents each study by its best trial (of the front, where that is not empty, by its first
            objective); `front` uses every trial of each front.
        trials: the number of the trial that represents a study, by the study's name.
        out: also write a page, plots and tables into this folder.
        force: replace an existing report.

    Raises:
        UnknownName: there is no such study, metric or trial.
        UsageError: nothing fits a pattern, no study has a complete trial, or the folder is taken.
    """
    if by not in ("trial", "front"):
        raise UsageError(f"unknown --by {by}", "give trial (each study's best) or front (all of each front)")
    names = matching_studies(patterns, storage)
    for name in trials or {}:
        lookup("study", name, dict.fromkeys(names))
    if out is not None:
        check_folder(out, force)
    with open_store(storage) as store:
        gathered = _Gathered(store, by, trials or {})
        for name in names:
            gathered.add(store.study(name))
    comparison = gathered.comparison(metrics)
    return Compared(comparison, None if out is None else _write_comparison(comparison, out, force))


def sweep_study(
    name: str,
    factor: str,
    *,
    metrics: Sequence[str] = (),
    out: Path | None = None,
    force: bool = False,
    storage: str | None = None,
) -> Swept:
    """Group the complete trials of one study by a parameter: mean and best of each value, and with all else equal.

    Raises:
        UnknownName: there is no such study, metric, or parameter in its trials.
        UsageError: no trial is complete, or the folder is taken.
    """
    if out is not None:
        check_folder(out, force)
    with open_store(storage) as store:
        study = store.study(name)
        table = _metrics(study)
        record = _record(store, study, of_data(store.trials(study.id), study.data_digest), table)
    chosen = _chosen(metrics, record, _known([record]))
    complete = derive.best_first(record.trials, study.spec.objectives[0])
    if not complete:
        raise UsageError(f"study '{name}' has no complete trial", f"run it: fersearch study run {name}")
    lookup("parameter", factor, dict.fromkeys(key for trial in complete for key in trial.params))
    result = Sweep(record, factor, chosen)
    if out is None:
        return Swept(result)
    from fersearch.report.comparison import sweep

    return Swept(result, writer.write(lambda: sweep.sweep(result), out, force))


def _write_comparison(comparison: Comparison, out: Path, force: bool) -> Written:
    from fersearch.report.comparison import page

    return writer.write(lambda: page.comparison(comparison), out, force)


class _Gathered:
    """Collects the entries of a comparison from studies."""

    def __init__(self, store: Store, by: str, trials: Mapping[str, int]) -> None:
        self.store, self.by, self.trials = store, by, trials
        self.entries: list[Entry] = []
        self.left_out: list[str] = []
        self._tables: dict[tuple[PluginFile, ...], Metrics] = {}

    def add(self, study: StudyRow) -> None:
        """Add the trials that represent a study."""
        every = self.store.trials(study.id)
        trials = of_data(every, study.data_digest)
        if others := len(every) - len(trials):
            subject = "1 trial" if others == 1 else f"{others} trials"
            self.left_out.append(f"{subject} of study {study.name} saw earlier data: left out.")
        if study.plugins not in self._tables:
            self._tables[study.plugins] = _metrics(study)
        table = self._tables[study.plugins]
        record = _record(self.store, study, trials, table)
        chosen = self._chosen(study, trials)
        if not chosen:
            self.left_out.append(f"Study {study.name} has no complete trial: left out.")
        several = len(chosen) > 1
        self.entries += [self._entry(study, record, trial, table, several) for trial in chosen]

    def comparison(self, metrics: Sequence[str]) -> Comparison:
        """Return the comparison of all entries by some metrics."""
        if not self.entries:
            raise UsageError("none of these studies has a complete trial", "run them: fersearch study run 'NAME/*'")
        records = [entry.record for entry in self.entries]
        chosen = _chosen(metrics, records[0], _known(records))
        return Comparison(self.entries, chosen, datetime.now(UTC), fersearch.__version__, self.left_out)

    def _chosen(self, study: StudyRow, trials: Sequence[Trial]) -> list[Trial]:
        if study.name in self.trials:
            return [_complete(study, trials, self.trials[study.name])]
        first = study.spec.objectives[0]
        members = derive.best_first(front_of(study, trials).trials, first)
        if self.by == "front" and members:
            return members
        feasible = [trial for trial in trials if study.spec.keeps_bounds(trial.values)]
        return (members or derive.best_first(feasible, first))[:1]

    def _entry(self, study: StudyRow, record: Record, trial: Trial, table: Metrics, several: bool) -> Entry:
        history = self.store.history(study.id, trial.number)
        epochs = {epoch.number: epoch for epoch in history}
        values = round_values(epochs, study.spec.objectives[0], table)
        card = _card(trial.checkpoint)
        return Entry(
            label=f"{study.name} #{trial.number}" if several else study.name,
            record=record,
            trial=trial,
            rounds=dict(zip(by_round(epochs), values, strict=True)),
            history=history,
            classes=tuple(card.get("class_names", ())),
            digest=card.get("dataset", {}).get("digest", ""),
        )


def _complete(study: StudyRow, trials: Sequence[Trial], number: int) -> Trial:
    complete = {trial.number: trial for trial in derive.best_first(trials, study.spec.objectives[0])}
    if number not in complete:
        known = (
            f"complete ones: {', '.join(map(str, sorted(complete)[:12]))}" if complete else "it has no complete trial"
        )
        raise UsageError(f"study '{study.name}' has no complete trial {number}", known)
    return complete[number]


def _record(store: Store, study: StudyRow, trials: Sequence[Trial], table: Metrics) -> Record:
    known = {name: Measure(name, metric.direction, metric.unit, metric.log_scale) for name, metric in table.items()}
    return Record(
        spec=study.spec,
        created=study.created,
        written=datetime.now(UTC),
        version=fersearch.__version__,
        seconds=study.seconds,
        trials=trials,
        epochs=store.epoch_values(study.id, CURVES),
        measures=known,
        baseline=study.baseline,
        data=Absent("A comparison does not open it."),
        environments=store.environments(study.id),
    )


def _metrics(study: StudyRow) -> Metrics:
    """Return the metrics of a study; only the installed ones where its plugin files can no longer be loaded.

    Raises:
        PluginError: its plugin files are not trusted here.
    """
    require_trusted(study)
    try:
        return components_of(study).metrics
    except FersearchError:
        return components(folder=False).metrics


def _known(records: Sequence[Record]) -> dict[str, Measure]:
    """Return every metric of which a trial of the records has a value."""
    valued = dict.fromkeys(name for record in records for trial in record.trials for name in trial.values)
    measures = {name: measure for record in records for name, measure in record.measures.items()}
    losses = {name: Measure(name, "min") for name in ("train_loss", "valid_loss")}
    described = losses | measures
    return {name: described.get(name, Measure(name)) for name in valued if not is_spread(name)}


def _chosen(names: Sequence[str], first: Record, known: Mapping[str, Measure]) -> list[Measure]:
    if names:
        return [lookup("metric", name, known) for name in dict.fromkeys(names)]
    lead = first.spec.objectives[0]
    defaults = dict.fromkeys((lead.metric, *SCORES))
    measures = [known[name] for name in defaults if name in known]
    return [replace(one, direction=lead.direction) if one.name == lead.metric else one for one in measures]


def _card(digest: str | None) -> dict[str, Any]:
    """Return the card of a checkpoint, read from its header; empty where the file is missing."""
    if not digest:
        return {}
    try:
        return read_card(Artifacts(artifacts_folder()).open(digest))
    except (OSError, FersearchError):
        return {}
