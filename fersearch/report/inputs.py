"""The input of a report: the records of a study, frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fersearch.study import StudySpec
from fersearch.trial import Epoch, Trial

if TYPE_CHECKING:
    import numpy as np

    from fersearch.registry import Registry


WRITTEN = {"f1": "F1", "auc": "AUC", "cpu": "CPU", "roc": "ROC", "lr": "LR"}


def title(name: str) -> str:
    """Return a name as text for a reader: `f1_macro` becomes `F1 macro`."""
    return " ".join(WRITTEN.get(part, part) for part in name.split("_"))


@dataclass(frozen=True)
class Measure:
    """A metric as tables and axes need it: its better direction (`max` or `min`), its unit, its natural scale."""

    name: str
    direction: str = "max"
    unit: str = ""
    log: bool = False

    @property
    def label(self) -> str:
        """The metric's title with its unit: `train seconds (s)`, `peak memory (MB)`."""
        stem, _, last = self.name.rpartition("_")
        name = stem if stem and last == self.unit.lower() else self.name
        return f"{title(name)} ({self.unit})" if self.unit else title(name)

    @property
    def heading(self) -> str:
        """The label with an arrow in the better direction."""
        return f"{self.label} {'↑' if self.direction == 'max' else '↓'}"


@dataclass(frozen=True)
class Absent:
    """A part that cannot be shown, and the reason as a sentence."""

    why: str


def measures_of(registry: "Registry | Absent") -> Mapping[str, Measure]:
    """Return the measure of every available metric, by its name."""
    known = {} if isinstance(registry, Absent) else registry.metrics
    measures = {name: Measure(name, metric.direction, metric.unit, metric.log_scale) for name, metric in known.items()}
    losses = {name: Measure(name, "min") for name in ("train_loss", "valid_loss")}
    return losses | measures


@dataclass(frozen=True)
class Data:
    """The dataset as the study saw it.

    `splits` maps each part to its `n` and its images `per_class`; `digest` is the SHA-256 of the prepared content.
    `changed` is true where the checkpoint was trained on other content.
    """

    classes: tuple[str, ...]
    splits: Mapping[str, Mapping[str, Any]]
    digest: str
    image_size: int
    channels: int
    licence: str = ""
    rounds: int = 1
    warnings: tuple[str, ...] = ()
    changed: bool = False


@dataclass(frozen=True)
class Predictions:
    """The best trial's predictions on validation: class shares (float32, n x classes), true labels (int64, n).

    `images` (uint8, m x channels x size x size) holds all prepared images, `rows` (int64, n) the evaluated ones.
    """

    probabilities: "np.ndarray[Any, Any]"
    labels: "np.ndarray[Any, Any]"
    images: "np.ndarray[Any, Any]"
    rows: "np.ndarray[Any, Any]"


@dataclass(frozen=True)
class Importance:
    """The importance of each parameter for a metric, as shares that sum to one, and the method."""

    metric: str
    method: str
    shares: Mapping[str, float]


@dataclass(frozen=True)
class Record:
    """The whole input of a report.

    `front` holds the non-dominated complete trials, `chosen` the best ones whose curves are drawn, the best first.
    `epochs` has the losses and accuracies of every trial's epochs, `histories` all values and confusion matrices of
    the chosen ones. `measures` describes every metric, `baseline` holds the scores of always naming the largest class.
    """

    spec: StudySpec
    created: datetime
    written: datetime
    version: str
    seconds: float
    trials: Sequence[Trial]
    front: Sequence[Trial] = ()
    chosen: Sequence[Trial] = ()
    epochs: Mapping[int, Sequence[Epoch]] = field(default_factory=dict)
    histories: Mapping[int, Sequence[Epoch]] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    baseline: Mapping[str, float] = field(default_factory=dict)
    importance: Sequence[Importance] | Absent = Absent("Not computed.")
    data: Data | Absent = Absent("Not checked.")
    predictions: Predictions | Absent = Absent("No model was evaluated.")
    looks: Sequence[Any] = ()
    environments: Sequence[Mapping[str, Any]] = ()

    @property
    def best(self) -> Trial | None:
        """The best trial, None if none is complete."""
        return self.chosen[0] if self.chosen else None

    @property
    def objectives(self) -> list[Measure]:
        """The study's objectives, most important first."""
        return [
            Measure(o.metric, o.direction, self.measure(o.metric).unit, self.measure(o.metric).log)
            for o in self.spec.objectives
        ]

    def measure(self, name: str) -> Measure:
        """Return the measure of a metric; a plain one where it is unknown."""
        return self.measures.get(name, Measure(name))
