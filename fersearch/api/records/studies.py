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
    values: dict[str, list[Number]] | None = omitted("Every metric by seed, if the look evaluated several models")

    @classmethod
    def of(cls, look: "StoredLook") -> Self:
        """Return the record of a look."""
        same = {name: getattr(look, name) for name in ("checkpoint", "dataset", "split", "n", "looked")}
        metrics = {name: value for name, value in look.metrics.items() if name != KEY}
        return cls(**same, metrics=metrics, values=look.metrics.get(KEY, {}).get("values"))


class Parameter(Part):
    """The domain of one parameter."""

    kind: Literal["float", "int", "choice"]
    low: Number = Field(default=None, description="Lowest value; null for a choice")
    high: Number = Field(default=None, description="Highest value; null for a choice")
    log: bool = Field(default=False, description="Whether it is searched on a log scale")
    options: list[Value] | None = Field(default=None, description="Values of a choice")
    when: dict[str, list[Value]] = Field(
        description="Applies only if each of these parameters has one of the listed values"
    )

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
    trials: int = Field(description="Trials that the study had at that time")
    name: str = Field(description="What was changed: trials, timeout, objectives or a parameter")
    before: str = Field(description="Empty if there was none")
    after: str = Field(description="Empty if there is none")


class StudyOrigin(Part):
    """The study that a study was started from."""

    study: str
    data_digest: str = Field(description="Digest of its data at that time; empty if unknown")
    same_data: bool | None = Field(description="Whether this study uses the same data; null before its first run")
    trials: int = Field(description="Its trials that the sampler learns from")
    enqueued: int = Field(description="Configurations of its front that were enqueued first")


class Study(Record):
    """A study as `study list` gives it."""

    name: str
    model: str = Field(description="The architecture searched; several in one study as a,b")
    architectures: list[str] = Field(default=[], description="The architectures searched, as a list")
    dataset: str
    state: StudyState
    created: datetime
    objectives: list[str] = Field(description="METRIC:max or METRIC:min; the first ranks checkpoints")
    counts: dict[str, int] = Field(description="Number of trials by state; states without trials are left out")
    storage: str = Field(description="The database's URL, without a password")
    looks: list[Look]
    owner: str = Field(default="", description="Owner, used by a service to share its slots")

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

    space: dict[str, str] = Field(description="Search range of each parameter, as `--set` writes it")
    parameters: dict[str, Parameter] = Field(description="The space as data")
    budget: Budget
    seconds: float = Field(description="Running time used, in seconds")
    sampler: str
    pruner: str
    recipes: str = Field(description="Whether known good configurations are tried first")
    rules: int = Field(description="Version of the sampler's and pruner's rules")
    seed: int
    protocol: dict[str, Any] = Field(description="How a trial is evaluated: split, ratios, folds, repeats ...")
    precision: str
    memory_format: str
    latency_on: str = Field(description="Whether latency_ms is measured in torch or on the exported model")
    limit: int | None = Field(description="Maximum number of train and valid images together; null: all")
    weights: str | None = Field(description="Pretrained weights; null: random initialisation")
    dataset_options: dict[str, Value]
    data: dict[str, Any] = Field(description="Digest of the study's data; empty before its first run")
    baseline: dict[str, Number] = Field(description="Metrics of always predicting the largest class")
    refit: int = Field(description="How often the best configuration is retrained at the end")
    unseen: list[str] = Field(description="Datasets that the best model is evaluated on at the end")
    where: list[str] = Field(description="Bounds on metrics, such as gflops<=0.1")
    keep: str = Field(description="Checkpoints kept: front, all or best N")
    origin: StudyOrigin | None = Field(description="The study it was started from")
    changes: list[StudyChange] = Field(description="Changes made by `study extend`, oldest first")
    plugins: list[str] = Field(description="Plugin files stored with the study")
    observe: list[str] = Field(description="Observers it was created with, for runs by a service")
    stop_when_flat: int = Field(description="End once the front has not grown for this many trials; 0: never")
    ending: str = Field(description="When and why it ended before its budget was used; else empty")
    enqueued: list[dict[str, Value]] = Field(
        description="Enqueued configurations that are not trials yet: the values set"
    )
    timing: str = Field(description="Whether trials shared a device while they were timed; empty if unknown")
    cost_tolerances: dict[str, Number] = Field(
        description="Relative difference below which two values of a cost count as equal"
    )
    best: BestTrial | None = omitted("Best trial of its front by the first objective")
    warnings: list[str] = Field(description="Reasons to doubt its results")
    finish: Finish | None = omitted("Results of `study finish`")

    @classmethod
    def of_view(cls, view: "StudyView") -> Self:
        """Return the record of one study."""
        return cls(**_detail(view))


class PlannedStudy(Record):
    """A study that was checked and not created."""

    name: str
    spec: dict[str, Any] = Field(description="The study's specification, as the database would store it")

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
    stopping: bool = Field(description="Whether a running driver was asked; without one, nothing is stored")


class StudyPause(Record):
    """The result of `study pause`."""

    name: str
    pausing: bool = Field(description="Whether it was running or queued; else nothing is stored")


class StudyEnqueue(Record):
    """The result of `study enqueue`."""

    name: str
    given: dict[str, Value] = Field(description="The values of the configuration; the sampler draws the others")
    running: bool = Field(description="Whether a running driver picks it up now rather than the next run")
    waiting: int = Field(description="Enqueued configurations that are not trials yet, including this one")
    needed: int = Field(description="Total trials, including all enqueued ones")
    trials: int = Field(description="Total trials that the budget allows; the rest waits for a larger budget")

    @classmethod
    def of(cls, view: "EnqueuedView") -> Self:
        """Return the record of a configuration that was enqueued."""
        return cls(**{name: getattr(view, name) for name in cls.model_fields if hasattr(view, name)})


def _detail(view: "StudyView") -> dict[str, Any]:
    spec = view.spec
    dimensions: Mapping[str, Dimension] = spec.space.dimensions
    looks: Sequence[StoredLook] = view.looks
    same = ("name", "state", "owner", "created", "storage", "seconds", "space", "timing", "ending", "cost_tolerances")
    names = (
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
        **{name: getattr(spec, name) for name in names},
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
