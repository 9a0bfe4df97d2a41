"""Records of trials."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from fersearch import trial as trials
from fersearch.api.records.base import Number, Part, Record, Value, omitted
from fersearch.trial import Reason, TrialState

if TYPE_CHECKING:
    from fersearch.api.results import Front, TrialView
    from fersearch.api.results import Rerun as RerunView


class Verdict(Part):
    """The pruner's last decision about a trial."""

    stop: bool
    rung: int | None = Field(default=None, description="The epoch, or round, at which it was compared")
    rank: int | None = Field(default=None, description="Its rank by Pareto fronts, from 1; null without peers")
    peers: int = Field(default=0, description="Trials compared, including itself")
    kept: int = Field(default=0, description="How many of them continued")
    reason: str = ""


class Attempt(Part):
    """One execution of a trial."""

    number: int
    reason: Reason | None = Field(description="Why it ended; null while it runs")
    first_epoch: int | None
    last_epoch: int | None
    seconds: float | None = Field(description="Wall time from start to end; null while it runs")
    message: str
    traceback: str
    facts: dict[str, Any] = Field(description="Recorded by the trial's process: device, precision, versions")

    @classmethod
    def of(cls, attempt: trials.Attempt) -> Self:
        """Return the record of an attempt."""
        names = [name for name in cls.model_fields if name != "facts"]
        return cls(**{name: getattr(attempt, name) for name in names}, facts=dict(attempt.facts))


class Epoch(Part):
    """The values after one pass over the training data."""

    epoch: int
    round: int = Field(description="The fold or repeat that it belongs to, from 1")
    values: dict[str, Number]
    seconds: float = Field(description="Training time of this epoch alone")
    cpu_seconds: float

    @classmethod
    def of(cls, epoch: trials.Epoch) -> Self:
        """Return the record of an epoch."""
        return cls(
            epoch=epoch.number,
            round=epoch.round,
            values=dict(epoch.values),
            seconds=epoch.seconds,
            cpu_seconds=epoch.cpu_seconds,
        )


class Trial(Record):
    """A trial as `trial list` gives it."""

    number: int
    state: TrialState
    params: dict[str, Value]
    values: dict[str, Number] = Field(description="Metrics of the kept epoch; time and memory of the whole trial")
    epochs: int = Field(description="Epochs trained")
    reason: Reason | None = Field(description="Why its last attempt ended; null while it runs")
    checkpoint: str | None = Field(description="SHA-256 of its kept weights")
    data: str | None = Field(description="Digest of the data it was trained on, if known")
    interval: dict[str, tuple[Number, Number]] = Field(
        description="Bootstrap 95 % intervals of its values over images, by metric (first objective, one round)"
    )
    disturbed: bool = Field(description="Whether other work slowed its training, so that wall times are unreliable")
    rough_latency: bool = Field(
        description="Whether its latency was measured next to other work, so that it is unreliable"
    )

    @classmethod
    def of(cls, trial: trials.Trial) -> Self:
        """Return the record of a trial."""
        return cls(**_summary(trial))


class FrontTrial(Trial):
    """A trial as `study front` gives it."""

    picks: list[str] = Field(description="The rules that select it: best, cheapest, knee")

    @classmethod
    def of_front(cls, front: "Front") -> list[Self]:
        """Return the records of the members of a front, best first."""
        return [cls(**_summary(trial), picks=front.picked(trial)) for trial in front.trials]


class TrialDetail(Trial):
    """A trial as `trial show` gives it."""

    kept_epoch: int | None = Field(description="The epoch whose weights and values were kept")
    verdict: Verdict | None = Field(description="The pruner's last decision; null if it never compared the trial")
    enqueued: dict[str, Value] | None = omitted("Values it was enqueued with; the sampler drew the others")
    log: str | None = Field(description="The log file of the last attempt")
    released: str | None = omitted("The keep policy that released its checkpoint")
    pid: int | None = omitted("The process that is running it")
    attempts: list[Attempt]
    history: list[Epoch]

    @classmethod
    def of_view(cls, view: "TrialView") -> Self:
        """Return the record of one trial with its attempts and epochs."""
        trial = view.trial
        return cls(
            **_summary(trial),
            kept_epoch=trial.kept_epoch,
            verdict=Verdict(**trial.verdict) if trial.verdict else None,
            enqueued=dict(trial.enqueued.given) if trial.enqueued else None,
            log=view.log,
            released=trial.released or None,
            pid=view.pid,
            attempts=[Attempt.of(attempt) for attempt in trial.attempts],
            history=[Epoch.of(epoch) for epoch in view.history],
        )


class RerunMetric(Part):
    """A metric of a trial and of its rerun; `checked` ones decide whether both are equal."""

    stored: Number
    again: Number
    checked: bool


class RerunChange(Part):
    """A difference between the environments of a trial and of its rerun."""

    name: str
    stored: str
    again: str


class Rerun(Record):
    """A trial trained again, beside what was stored."""

    study: str
    trial: int
    seed: int
    epochs: int
    equal: bool
    max_difference: Number
    kept_epoch: dict[str, int | None]
    metrics: dict[str, RerunMetric]
    changed: list[RerunChange]
    path: str | None = omitted("The folder of the model")

    @classmethod
    def of(cls, rerun: "RerunView") -> Self:
        """Return the record of a rerun."""
        same = ("study", "trial", "seed", "epochs", "equal", "max_difference")
        metrics = {
            one.name: RerunMetric(stored=one.stored, again=one.again, checked=one.checked) for one in rerun.metrics
        }
        changed = [RerunChange(name=one.name, stored=one.stored, again=one.again) for one in rerun.changed]
        return cls(
            **{name: getattr(rerun, name) for name in same},
            kept_epoch={"stored": rerun.kept_epoch[0], "again": rerun.kept_epoch[1]},
            metrics=metrics,
            changed=changed,
            path=str(rerun.path) if rerun.path else None,
        )


def _summary(trial: trials.Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state,
        "params": dict(trial.params),
        "values": dict(trial.values),
        "epochs": trial.epochs,
        "reason": trial.reason,
        "checkpoint": trial.checkpoint,
        "data": trial.data_digest or None,
        "interval": trial.intervals,
        "disturbed": trial.disturbed,
        "rough_latency": trial.rough_latency,
    }
