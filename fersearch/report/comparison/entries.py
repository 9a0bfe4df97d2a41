"""The entries of a comparison: the trials that represent studies, and which of them may be compared."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from fersearch.report import derive
from fersearch.report.inputs import Measure, Record
from fersearch.report.tables import Cell, Spread
from fersearch.search.aggregation import by_round
from fersearch.study import StudySpec
from fersearch.trial import Epoch, Trial

SCORES = ("accuracy", "precision_macro", "recall_macro", "f1_macro", "auc_macro")
COSTS = ("train_seconds", "eval_seconds", "peak_memory_mb", "mean_memory_mb", "parameters")
COUNTED = frozenset({"parameters", "model_mb"})
DECODING = frozenset({"image_size", "channels", "preprocess"})
"""Options of a dataset that change how images look, not which images it has."""
Group = list["Entry"]


@dataclass(frozen=True)
class Entry:
    """A trial that represents its study.

    `rounds` holds the values of each training under folds or repeats by its number. `classes` and `digest` (of the
    prepared content) are those that the trial was trained on, empty where no checkpoint records them.
    """

    label: str
    record: Record
    trial: Trial
    rounds: Mapping[int, Mapping[str, float]]
    history: Sequence[Epoch]
    classes: tuple[str, ...] = ()
    digest: str = ""

    @property
    def spec(self) -> StudySpec:
        """The specification of its study."""
        return self.record.spec

    @cached_property
    def matrices(self) -> dict[int, derive.Matrix]:
        """The confusion matrix of each round's kept epoch, by the round's number."""
        rounds = by_round({epoch.number: epoch for epoch in self.history})
        best = {
            number: derive.best_of_round(list(own.values()), self.spec.objectives[0]) for number, own in rounds.items()
        }
        return {
            number: [[int(count) for count in row] for row in epoch.confusion]
            for number, epoch in best.items()
            if epoch is not None and epoch.confusion
        }

    @property
    def per_class(self) -> dict[int, list[int]]:
        """The validation images of each class, by the round's number."""
        return {number: [sum(row) for row in matrix] for number, matrix in self.matrices.items()}

    @property
    def validation_counts(self) -> list[int]:
        """The validation images of each round, the different numbers in order; empty where unknown."""
        return sorted({sum(counts) for counts in self.per_class.values()})

    @property
    def num_classes(self) -> int | None:
        """The number of classes; None where unknown."""
        counts = next(iter(self.per_class.values()), None)
        return len(self.classes) or (None if counts is None else len(counts))

    def class_names(self, count: int) -> list[str]:
        """Return the names of the classes; numbers where the names are unknown."""
        return list(self.classes) if len(self.classes) == count else [f"class {i}" for i in range(count)]

    def value(self, metric: str) -> float:
        """Return the trial's value, the mean where it has rounds; NaN where there is none."""
        return self.trial.values.get(metric, math.nan)

    def std(self, metric: str) -> float:
        """Return the deviation over rounds; NaN where there is none."""
        return self.trial.values.get(f"{metric}_std", math.nan)

    def cell(self, metric: str) -> Cell:
        """Return the value as a table shows it."""
        value, std = derive.finite(self.trial.values, metric), self.std(metric)
        if value is None or math.isnan(std) or (metric in COUNTED and std == 0):
            return value
        return Spread(value, std)


@dataclass(frozen=True)
class Comparison:
    """Entries and the metrics by which they are compared, the most important first.

    `left_out` has a sentence with the reason for each study that cannot be listed.
    """

    entries: Sequence[Entry]
    metrics: Sequence[Measure]
    written: datetime
    version: str
    left_out: Sequence[str] = ()

    @property
    def costs(self) -> list[Measure]:
        """Time, memory and size, as far as an entry has them."""
        return [self.measure(name) for name in COSTS if any(not math.isnan(one.value(name)) for one in self.entries)]

    @property
    def all_metrics(self) -> list[Measure]:
        """The metrics, then the costs that are not among them."""
        named = {measure.name for measure in self.metrics}
        return [*self.metrics, *(measure for measure in self.costs if measure.name not in named)]

    def measure(self, name: str) -> Measure:
        """Return the measure of a metric."""
        measured = next((one for one in self.metrics if one.name == name), None)
        return measured or self.entries[0].record.measure(name)

    @cached_property
    def groups(self) -> list[Group]:
        """The entries grouped by what their scores are measured on: dataset, classes, split and number of images."""
        by_data: dict[object, Group] = {}
        for entry in self.entries:
            by_data.setdefault(judged_on(entry), []).append(entry)
        return list(by_data.values())


def judged_on(entry: Entry) -> tuple[object, ...]:
    """Return a key of what an entry's scores are measured on: equal where two may be compared."""
    spec, protocol = entry.spec, entry.spec.protocol
    seed = None if protocol.split == "official" else protocol.split_seed
    folds = protocol.folds if protocol.split == "kfold" else None
    split = (protocol.split, protocol.ratios, protocol.by, protocol.duplicates, seed, folds, spec.limit)
    chosen = tuple(sorted((name, repr(value)) for name, value in spec.dataset_options.items() if name not in DECODING))
    counts = tuple(entry.per_class.get(1, ()))
    return spec.dataset, chosen, entry.classes or entry.num_classes, split, counts


def best_of(entries: Sequence[Entry], measure: Measure) -> list[Entry]:
    """Return the entries that have a value, the best first, the earlier of equals first."""
    defined = [entry for entry in entries if math.isfinite(entry.value(measure.name))]
    sign = -1 if measure.direction == "max" else 1
    return sorted(defined, key=lambda entry: sign * entry.value(measure.name))


def dataset_label(entry: Entry, entries: Sequence[Entry]) -> str:
    """Return the dataset's name, with the options in which the images of its entries differ."""
    same = [one.spec.dataset_options for one in entries if one.spec.dataset == entry.spec.dataset]
    names = dict.fromkeys(name for options in same for name in options)
    differing = [
        name for name in names if name not in DECODING and len({repr(options.get(name)) for options in same}) > 1
    ]
    settings = ", ".join(f"{name}={entry.spec.dataset_options.get(name, 'default')}" for name in differing)
    return f"{entry.spec.dataset} ({settings})" if settings else entry.spec.dataset


def model_label(entry: Entry, entries: Sequence[Entry]) -> str:
    """Return the model's name, with its starting weights where entries of that model differ in them."""
    weights = {one.spec.weights for one in entries if one.spec.architecture == entry.spec.architecture}
    if len(weights) == 1:
        return entry.spec.architecture
    return f"{entry.spec.architecture} ({entry.spec.weights or 'no weights'})"
