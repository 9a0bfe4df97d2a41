"""The sections on the protocol, costs, trials, failures and environment of a study."""

from fersearch.report import prose, sharing, study_tables
from fersearch.report.inputs import Absent, Data, Record
from fersearch.report.parts import Facts, Fold, Missing, Part, Section, Tabular, Text
from fersearch.report.tables import Table

SHOWN = 100


def summary(record: Record) -> Section:
    """Return the outcome of the study, and every value of the best trial."""
    parts: list[Part] = [Text(line) for line in prose.summary(record)]
    if record.best is not None:
        parts.append(Tabular(study_tables.values(record, record.best)))
    return Section("summary", "Summary", parts)


def protocol(record: Record) -> Section:
    """Return how trials were evaluated: sentences, then the counts of images and the search space."""
    parts: list[Part] = [Text(line) for line in prose.protocol(record)]
    if isinstance(record.data, Data):
        parts.append(Tabular(study_tables.splits(record.data.splits, record.data.classes)))
    if record.looks:
        parts.append(Tabular(study_tables.looks(record)))
    space = Table("space", "The search space.", ["Parameter", "Range", "Applies when"], prose.searched(record.spec))
    if record.spec.changes:
        parts.append(Tabular(study_tables.changes(record.spec)))
    return Section("protocol", "Protocol", [*parts, Fold("Search space", [Tabular(space)])])


def costs(record: Record) -> Section:
    """Return time and memory of all complete trials and of the front."""
    if record.best is None:
        return Section("costs", "Time and memory", [Missing("No trial is complete.")])
    about = (
        "Training time is the seconds of the trial's epochs, without start-up and validation; memory is the "
        "device's peak during training, or on a CPU the private memory above that before the model was built; "
        "1 MB is 2^20 bytes. Standard deviations are sample ones (n - 1)."
    )
    shared = sharing.describe(record.trials)
    beside: list[Part] = [Text(f"{shared[0].upper()}{shared[1:]}.")] if shared else []
    parts: list[Part] = [Text(about), *beside, Tabular(study_tables.costs(record))]
    if record.front:
        parts.append(Tabular(study_tables.front_costs(record)))
    return Section("costs", "Time and memory", parts)


def trials(record: Record) -> Section:
    """Return every trial, one row each."""
    if not record.trials:
        return Section("trials", "All trials", [Missing("The study has no trials yet.")])
    about = (
        "Losses are over all epochs of a trial, other scores are of its kept epoch. Training accuracy is "
        "given where the trainer recorded it. Total time counts every attempt with its start-up and validation."
    )
    return Section("trials", "All trials", [Text(about), Tabular(study_tables.trials(record), SHOWN)])


def failures(record: Record) -> Section:
    """Return every attempt that ended in a fault."""
    table = study_tables.failures(record)
    if not table.rows:
        return Section("failures", "Failures", [Text("No attempt failed.")])
    return Section("failures", "Failures", [Tabular(table, SHOWN)])


def environment(record: Record) -> Section:
    """Return hosts, devices and package versions."""
    if not record.environments:
        return Section("environment", "Environment", [Missing("The study has not run yet.")])
    parts: list[Part] = [Facts(study_tables.environment(facts)) for facts in record.environments]
    digest = [] if isinstance(record.data, Absent) else [Text(f"Dataset content (SHA-256): {record.data.digest}")]
    return Section("environment", "Environment", [*parts, *digest])
