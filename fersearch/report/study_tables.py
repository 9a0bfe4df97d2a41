"""The tables of a study: from records to rows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fersearch.formatting import interval
from fersearch.report import derive
from fersearch.report.derive import ClassScore
from fersearch.report.inputs import Record, title
from fersearch.report.tables import Cell, Spread, Table
from fersearch.space import Value
from fersearch.study import ARCHITECTURE, StudySpec
from fersearch.trial import Trial, TrialState, is_spread

PARAMETERS = {
    "batch_size": "Batch size",
    "epochs": "Epochs",
    "activation": "Activation function",
    "loss": "Loss function",
    "learning_rate": "Initial learning rate",
    "optimizer": "Optimizer",
    "scheduler": "Scheduler",
    "dropout": "Dropout rate",
    "augmentation": "Data augmentation",
    "freeze": "Weight freezing",
}
"""The parameters that the FER+ report tabulates for every trial, and its names for them."""
QUALITY = ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "precision_macro", "recall_macro", "auc_macro")
COSTS = (
    "train_seconds",
    "cpu_seconds",
    "eval_seconds",
    "peak_memory_mb",
    "mean_memory_mb",
    "model_mb",
    "parameters",
    "latency_ms",
)
SLOWED = "Slowed by other work"


def trials(record: Record) -> Table:
    """Return every trial with the columns of the FER+ report, then objectives and other searched parameters."""
    seen = dict.fromkeys(name for trial in record.trials for name in trial.params)
    varied = dict.fromkeys([*_architecture(record), *derive.varying(record.trials)])
    others = [name for name in varied if name not in PARAMETERS]
    known = {name: heading for name, heading in PARAMETERS.items() if name in seen}
    figures = [name for name in ("training loss",) if record.epochs]
    columns = ["Trial", "State", *known.values()]
    columns += [f"{which} {name}" for name in figures for which in ("Min", "Average", "Max")]
    columns += ["Training accuracy", "Validation loss", "Validation accuracy", "Total time (s)", SLOWED, "Device"]
    columns += [o.heading for o in record.objectives if o.name != "accuracy"]
    columns += [title(name) for name in others]
    rows = [
        [
            str(trial.number),
            trial.state.value,
            *(_setting(trial.params.get(name)) for name in known),
            *(_losses(record, trial) if figures else ()),
            *(measured(trial, name) for name in ("train_accuracy", "valid_loss", "accuracy")),
            _total_seconds(trial),
            _slowed(trial),
            device(record, trial),
            *(measured(trial, o.name) for o in record.objectives if o.name != "accuracy"),
            *(_setting(trial.params.get(name)) for name in others),
        ]
        for trial in record.trials
    ]
    return _without_empty(Table("trials", f"All trials of {record.spec.name}.", columns, rows))


def front(record: Record) -> Table:
    """Return the Pareto front: objectives first, the best of each in bold, then the parameters that differ."""
    objectives = record.objectives
    others = [name for name in QUALITY if name not in {o.name for o in objectives} and _known(record.front, name)]
    params = dict.fromkeys([*_architecture(record), *derive.varying(record.front)])
    sure = any(objectives[0].name in trial.intervals for trial in record.front)
    columns = ["Trial", *(o.heading for o in objectives), *(record.measure(name).label for name in others)]
    columns += [f"95 % interval of {objectives[0].label}"] if sure else []
    rows: list[list[Cell]] = [
        [
            str(trial.number),
            *(measured(trial, o.name) for o in objectives),
            *(measured(trial, name) for name in others),
            *((interval(trial.intervals.get(objectives[0].name)),) if sure else ()),
            *(_setting(trial.params.get(name)) for name in params),
        ]
        for trial in record.front
    ]
    best = {
        (_best_row(record.front, o.name, o.direction), j) for j, o in enumerate(objectives, start=1) if record.front
    }
    caption = f"Pareto front of {record.spec.name}: complete trials that no other dominates."
    return Table("front", caption, [*columns, *map(title, params)], rows, frozenset(best))


def architectures(record: Record) -> Table:
    """Return the results of each of several architectures: its trials, its share of the front, its best values."""
    columns = ["Architecture", "Trials", "Complete", "Stopped early", "On the front"]
    columns += [f"Best {objective.heading}" for objective in record.objectives]
    caption = f"Each architecture of {record.spec.name}: its trials and its best value by each objective."
    return Table("architectures", caption, columns, [_fared(record, name) for name in record.spec.architectures])


def _fared(record: Record, architecture: str) -> list[Cell]:
    own = [trial for trial in record.trials if trial.params[ARCHITECTURE] == architecture]
    states = [trial.state for trial in own]
    members = sum(trial.params[ARCHITECTURE] == architecture for trial in record.front)
    best: list[Cell] = []
    for objective in record.spec.objectives:
        ranked = derive.best_first(own, objective)
        best.append(ranked[0].values[objective.metric] if ranked else None)
    return [architecture, len(own), states.count(TrialState.COMPLETE), states.count(TrialState.PRUNED), members, *best]


def classes(scores: Sequence[ClassScore], trial: int) -> Table:
    """Return precision, recall, F1 and support of each class, then both averages."""
    rows: list[list[Cell]] = [
        [score.name, score.precision, score.recall, score.f1, score.support]
        for score in [*scores, *derive.averages(scores).values()]
    ]
    caption = f"Scores of each class on validation, trial {trial}."
    return Table("classes", caption, ["Class", "Precision", "Recall", "F1", "Support"], rows)


def confusion(matrix: Sequence[Sequence[int]], names: Sequence[str], trial: int) -> Table:
    """Return the confusion matrix, the true class by row."""
    rows: list[list[Cell]] = [[name, *map(int, row)] for name, row in zip(names, matrix, strict=True)]
    caption = f"Confusion matrix on validation, trial {trial}: rows: true classes, columns: predicted classes."
    return Table("confusion", caption, ["True class", *names], rows)


def costs(record: Record) -> Table:
    """Return time and memory over the complete trials: mean and deviation, minimum and maximum."""
    complete = [trial for trial in record.trials if trial.state is TrialState.COMPLETE]
    rows: list[list[Cell]] = []
    for name in COSTS:
        values = [value for trial in complete if (value := derive.finite(trial.values, name)) is not None]
        if values:
            rows.append([record.measure(name).label, Spread(*derive.spread(values)), min(values), max(values)])
    caption = (
        f"Time and memory of the complete trials of {record.spec.name} ({len(complete)}): mean ± standard deviation."
    )
    return Table("costs", caption, ["Measure", "Mean", "Least", "Most"], rows)


def front_costs(record: Record) -> Table:
    """Return time and memory of each trial of the front, with deviations over its rounds if it has several."""
    names = [name for name in COSTS if _known(record.front, name)]
    rows: list[list[Cell]] = [
        [str(trial.number), *(measured(trial, name) for name in names), _slowed(trial)] for trial in record.front
    ]
    columns = ["Trial", *(record.measure(name).label for name in names), SLOWED]
    return _without_empty(Table("front-costs", f"Time and memory of the front of {record.spec.name}.", columns, rows))


def values(record: Record, trial: Trial) -> Table:
    """Return every value of one trial beside the majority baseline."""
    names = [name for name in trial.values if not is_spread(name)]
    rows: list[list[Cell]] = [
        [record.measure(name).label, measured(trial, name), derive.finite(record.baseline, name)] for name in names
    ]
    caption = f"Values of trial {trial.number}, and of always predicting the largest class."
    return Table("best", caption, ["Metric", f"Trial {trial.number}", "Majority baseline"], rows)


def failures(record: Record) -> Table:
    """Return every attempt that ended in a fault, with its reason."""
    sound = {None, "done", "pruned", "interrupted", "preempted"}  # except attempts lost by no fault of the trial
    rows: list[list[Cell]] = [
        [str(trial.number), attempt.number, trial.state.value, str(attempt.reason), attempt.message]
        for trial in record.trials
        for attempt in trial.attempts
        if attempt.reason not in sound or "lost" in attempt.facts
    ]
    caption = f"Failed attempts of {record.spec.name}."
    return Table("failures", caption, ["Trial", "Attempt", "Trial state", "Reason", "Message"], rows)


def changes(spec: StudySpec) -> Table:
    """Return the recorded changes of the study's specification, and when they were made."""
    rows: list[list[Cell]] = [
        [one.at[:16].replace("T", " "), one.trials, one.name, one.before or "-", one.after or "-"]
        for one in spec.changes
    ]
    columns = ["When (UTC)", "After trials", "What", "Before", "Now"]
    return Table("changes", f"Changes to {spec.name} during the search.", columns, rows)


def looks(record: Record) -> Table:
    """Return every opening of a split that the search did not see, and its results."""
    owners = {trial.checkpoint: trial.number for trial in record.trials if trial.checkpoint}
    names = [name for name in (*QUALITY, "log_loss") if any(name in look.metrics for look in record.looks)]
    rows: list[list[Cell]] = [
        [
            f"{look.looked:%Y-%m-%d %H:%M}",
            str(owners.get(look.checkpoint, "-")),
            look.dataset,
            look.split,
            look.n,
            *(derive.finite(look.metrics, name) for name in names),
        ]
        for look in record.looks
    ]
    columns = ["When (UTC)", "Trial", "Dataset", "Split", "Images", *(record.measure(name).label for name in names)]
    return Table("looks", f"Evaluations of models of {record.spec.name} on held-out images.", columns, rows)


def splits(parts: Mapping[str, Mapping[str, Any]], classes: Sequence[str]) -> Table:
    """Return images of each class in each part."""
    rows: list[list[Cell]] = [[name, *(part["per_class"].get(name, 0) for part in parts.values())] for name in classes]
    rows.append(["all", *(part["n"] for part in parts.values())])
    return Table("splits", "Images of each class in each split.", ["Class", *parts], rows)


def environment(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return one environment as pairs of name and text; nested facts on one line."""
    return [
        (
            title(name),
            ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else str(value),
        )
        for name, value in facts.items()
        if value not in (None, "", {})
    ]


def measured(trial: Trial, name: str) -> Cell:
    """Return a trial's value; a spread where the trial has several rounds."""
    value = derive.finite(trial.values, name)
    std = trial.values.get(f"{name}_std")
    return value if value is None or std is None else Spread(value, std)


def device(record: Record, trial: Trial) -> str | None:
    """Return the device of the trial's last attempt; where that is not recorded, the study's only device."""
    for attempt in reversed(trial.attempts):
        if "device_name" in attempt.facts or "device" in attempt.facts:
            return str(attempt.facts.get("device_name") or attempt.facts["device"])
    names = {str(facts["device_name"]) for facts in record.environments if facts.get("device_name")}
    return names.pop() if len(names) == 1 and trial.attempts else None


def _architecture(record: Record) -> list[str]:
    return [ARCHITECTURE] if record.spec.one_study else []


def _setting(value: Value | None) -> Cell:
    return str(value).lower() if isinstance(value, bool) else value


def _losses(record: Record, trial: Trial) -> list[Cell]:
    epochs = record.epochs.get(trial.number, ())
    losses = [loss for epoch in epochs if math.isfinite(loss := epoch.values.get("train_loss", math.nan))]
    return [min(losses), derive.spread(losses)[0], max(losses)] if losses else [None, None, None]


def _total_seconds(trial: Trial) -> float | None:
    """Return the wall seconds of all attempts, start-up and validation included."""
    seconds = [attempt.seconds for attempt in trial.attempts if attempt.seconds is not None]
    return sum(seconds) if seconds else None


def _slowed(trial: Trial) -> str | None:
    """Return whether other work slowed a trial, so that its wall seconds are unreliable; None if it did not."""
    return "yes" if trial.disturbed else None


def _known(trials: Sequence[Trial], name: str) -> bool:
    return any(derive.finite(trial.values, name) is not None for trial in trials)


def _best_row(trials: Sequence[Trial], metric: str, direction: str) -> int:
    sign = -1 if direction == "max" else 1
    return min(range(len(trials)), key=lambda i: sign * trials[i].values.get(metric, sign * math.inf))


def _without_empty(table: Table) -> Table:
    """Return the table without columns that no row fills."""
    columns = [j for j in range(len(table.columns)) if any(row[j] is not None for row in table.rows)] or [0]
    rows = [[row[j] for j in columns] for row in table.rows]
    return Table(table.name, table.caption, [table.columns[j] for j in columns], rows)
