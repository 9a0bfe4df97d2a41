"""Records of studies."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from fersearch.api.records.base import Number, Part, Record, Value, omitted
from fersearch.api.records.finishes import Finish
from fersearch.api.records.trials import FrontTrial
from fersearch.evaluation.finished import KEY
from fersearch.space import Choice, Dimension, Int
from fersearch.study import StudySpec, StudyState

if TYPE_CHECKING:
    from fersearch.api.results import EnqueuedView, Front, StudySummary, StudyView
    from fersearch.api.results import Look as StoredLook


class Look(Part):
    """One opening of a split that the search never saw."""

    checkpoint: str = Field(description="SHA-256 of the checkpoint that was evaluated")
    dataset: str
    split: str
    n: int = Field(description="Images it was evaluated on")
    metrics: dict[str, Number]
    looked: datetime
    values: dict[str, list[Number]] | None = omitted("Every metric by seed, where several models judged as one look")

    @classmethod
    def of(cls, look: "StoredLook") -> Self:
        """Return the record of a look."""
        same = {name: getattr(look, name) for name in ("checkpoint", "dataset", "split", "n", "looked")}
        metrics = {name: value for name, value in look.metrics.items() if name != KEY}
        return cls(**same, metrics=metrics, values=look.metrics.get(KEY, {}).get("values"))


class Parameter(Part):
    """The domain of one parameter."""

    kind: Literal["float", "int", "choice"]
    low: Number = Field(default=None, description="The lowest value; null of a choice")
    high: Number = Field(default=None, description="The highest value; null of a choice")
    log: bool = Field(default=False, description="Whether it is searched on a log scale")
    options: list[Value] | None = Field(default=None, description="The values of a choice")
    when: dict[str, list[Value]] = Field(description="It applies only where each of these has one of the values")

    @classmethod
    def of(cls, dimension: Dimension) -> Self:
        """Return the record of a dimension of the space."""
        when = {name: list(values) for name, values in dimension.when.items()}
        if isinstance(dimension, Choice):
            return cls(kind="choice", options=list(dimension.options), when=when)
        kind: Literal["float", "int"] = "int" if isinstance(dimension, Int) else "float"
        return cls(kind=kind, low=dimension.low, high=dimension.high, log=dimension.log, when=when)


class Budget(Part):
    """The budget of a study."""

    trials: int = Field(description="Trials that ended")
    timeout: float | None = Field(description="Seconds of running; null without a limit")


class StudyChange(Part):
    """A recorded change of a study by `study extend`."""

    at: datetime
    trials: int = Field(description="Trials that the study had then")
    name: str = Field(description="What changed: trials, timeout, objectives or a parameter")
    before: str = Field(description="Empty where there was none")
    after: str = Field(description="Empty where there is none")


class StudyOrigin(Part):
    """The study that a study was started from."""

    study: str
    data_digest: str = Field(description="Digest of its data then; empty where it was not known")
    same_data: bool | None = Field(description="Whether this study's data is the same; null before its first run")
    trials: int = Field(description="Trials of it that the sampler knows")
    enqueued: int = Field(description="Configurations of its front that were enqueued")


class Study(Record):
    """A study as `study list` gives it."""

    name: str
    model: str = Field(description="The architecture that is searched; several of one study as a,b")
    architectures: list[str] = Field(default=[], description="The architectures that are searched, each by itself")
    dataset: str
    state: StudyState
    created: datetime
    objectives: list[str] = Field(description="METRIC:max or METRIC:min; the first ranks checkpoints")
    counts: dict[str, int] = Field(description="Trials by state, where there are any")
    storage: str = Field(description="The database's URL, without a password")
    looks: list[Look]
    owner: str = Field(default="", description="Whose it is, where a service shares its slots among owners")

    @classmethod
    def of(cls, summary: "StudySummary") -> Self:
        """Return the record of a study in a list."""
        return cls(
            name=summary.name,
            model=summary.model,
            architectures=list(summary.architectures or [summary.model]),
            dataset=summary.dataset,
            state=summary.state,
            created=summary.created,
            objectives=[str(objective) for objective in summary.objectives],
            counts=dict(summary.counts),
            storage=summary.storage,
            looks=[Look.of(look) for look in summary.looks],
            owner=summary.owner,
        )


class BestTrial(Part):
    """The best trial of a front by the first objective."""

    trial: int
    metric: str
    value: Number
    interval: tuple[Number, Number] | None = omitted("Its bootstrap 95 % interval over images")


class StudyDetail(Study):
    """A study as `study show` gives it."""

    space: dict[str, str] = Field(description="What each parameter is searched over, as `--set` writes it")
    parameters: dict[str, Parameter] = Field(description="The space as data")
    budget: Budget
    seconds: float = Field(description="Seconds of running used")
    sampler: str
    pruner: str
    recipes: str = Field(description="Whether known recipes are tried first")
    rules: int = Field(description="Version of the rules of sampler and pruner")
    seed: int
    protocol: dict[str, Any] = Field(description="How a trial is judged: split, ratios, folds, repeats ...")
    precision: str
    memory_format: str
    latency_on: str = Field(description="Whether latency_ms is of the model in torch, or of the exported one")
    limit: int | None = Field(description="Images of train and valid together; null for all")
    weights: str | None = Field(description="What the architecture starts from; null for random weights")
    dataset_options: dict[str, Value]
    data: dict[str, Any] = Field(description="Which data the study is about; empty before its first run")
    baseline: dict[str, Number] = Field(description="Metrics of always answering the commonest class")
    refit: int = Field(description="How often the best configuration is trained again at the end")
    unseen: list[str] = Field(description="Datasets that the best model judges at the end")
    where: list[str] = Field(description="Bounds on metrics, as gflops<=0.1")
    keep: str = Field(description="Which checkpoints are kept: front, all or best N")
    origin: StudyOrigin | None = Field(description="The study that it was started from")
    changes: list[StudyChange] = Field(description="What `study extend` changed, oldest first")
    plugins: list[str] = Field(description="The plugin files that it keeps")
    observe: list[str] = Field(description="Observers that it was created with, which a service informs")
    stop_when_flat: int = Field(description="It ends once its front has not grown for this many trials; 0: never")
    ending: str = Field(description="When and why it ended, where it did not use its budget; else empty")
    enqueued: list[dict[str, Value]] = Field(description="What was enqueued and is no trial yet: the values given")
    timing: str = Field(description="Whether trials shared a device while they were timed; empty if unknown")
    cost_tolerances: dict[str, Number] = Field(description="Share by which each cost may differ and counts as equal")
    best: BestTrial | None = omitted("The best of its front by the first objective")
    warnings: list[str] = Field(description="What makes its results doubtful")
    finish: Finish | None = omitted("How it was finished")

    @classmethod
    def of_view(cls, view: "StudyView") -> Self:
        """Return the record of one study."""
        return cls(**_detail(view))


class PlannedStudy(Record):
    """A study that was checked and not created."""

    name: str
    spec: dict[str, Any] = Field(description="What it would be asked to do, as the database would keep it")

    @classmethod
    def of(cls, spec: StudySpec) -> Self:
        """Return the record of a study that is none yet."""
        return cls(name=spec.name, spec=spec.to_json())


class StudyRun(StudyDetail):
    """A study as `study run` and `study create` give it at the end."""

    front: list[FrontTrial]

    @classmethod
    def of_run(cls, view: "StudyView", front: "Front") -> Self:
        """Return the record of a study that was run, with its front."""
        return cls(**_detail(view), front=FrontTrial.of_front(front))


class StudyStop(Record):
    """The result of `study stop`."""

    name: str
    stopping: bool = Field(description="Whether a living driver was asked; without one nothing is stored")


class StudyPause(Record):
    """The result of `study pause`."""

    name: str
    pausing: bool = Field(description="Whether it ran or waited in a queue; else nothing is stored")


class StudyEnqueue(Record):
    """The result of `study enqueue`."""

    name: str
    given: dict[str, Value] = Field(description="The values of the configuration; the sampler draws the others")
    running: bool = Field(description="Whether a living driver takes it in now, not the next run")
    waiting: int = Field(description="Configurations that are enqueued and no trials yet, with this one")
    needed: int = Field(description="The total of trials with all that is enqueued")
    trials: int = Field(description="The total that the budget allows; what exceeds it waits for a larger one")

    @classmethod
    def of(cls, view: "EnqueuedView") -> Self:
        """Return the record of a configuration that was enqueued."""
        return cls(**{name: getattr(view, name) for name in cls.model_fields if hasattr(view, name)})


def _detail(view: "StudyView") -> dict[str, Any]:
    spec = view.spec
    dimensions: Mapping[str, Dimension] = spec.space.dimensions
    looks: Sequence[StoredLook] = view.looks
    same = ("name", "state", "owner", "created", "storage", "seconds", "space", "timing", "ending", "cost_tolerances")
    asked = (
        "dataset",
        "sampler",
        "pruner",
        "recipes",
        "rules",
        "seed",
        "precision",
        "memory_format",
        "latency_on",
        "limit",
        "weights",
        "refit",
        "stop_when_flat",
    )
    return {
        **{name: getattr(view, name) for name in same},
        **{name: getattr(spec, name) for name in asked},
        "model": spec.architecture,
        "architectures": list(spec.architectures),
        "objectives": [str(objective) for objective in spec.objectives],
        "counts": dict(view.counts),
        "looks": [Look.of(look) for look in looks],
        "parameters": {name: Parameter.of(dimension) for name, dimension in dimensions.items()},
        "budget": Budget(trials=spec.budget.trials, timeout=spec.budget.timeout),
        "protocol": asdict(spec.protocol),
        "dataset_options": dict(spec.dataset_options),
        "data": dict(view.data),
        "baseline": dict(view.baseline),
        "unseen": list(spec.unseen),
        "observe": list(spec.observe),
        "where": list(map(str, spec.where)),
        "keep": str(spec.keep),
        "origin": StudyOrigin(**asdict(spec.origin), same_data=view.has_data_of_origin) if spec.origin else None,
        "changes": [StudyChange(**asdict(change)) for change in spec.changes],
        "plugins": list(view.plugins),
        "best": BestTrial(**asdict(view.best)) if view.best else None,
        "warnings": list(view.warnings),
        "finish": Finish.of(view.finish) if view.finish else None,
        "enqueued": [dict(one.given) for one in view.enqueued],
    }
