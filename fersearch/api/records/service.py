"""Records of a service: queue, owners, tokens, events, and requests."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from pydantic import ConfigDict, Field

from fersearch.api.records.base import Part, Record, Value
from fersearch.api.records.finishes import Finish
from fersearch.study_options import GREATEST

if TYPE_CHECKING:
    from fersearch.api.results import DiskUse, Queued, StoredEvent
    from fersearch.api.results import Owner as OwnerRow
    from fersearch.api.results import Token as TokenRow


class RunRequest(Part):
    """The options of a queued run; the service sets all others."""

    model_config = ConfigDict(strict=True)

    trials: int | None = Field(None, ge=1, le=2**31 - 1, description="The study's new total of trials")
    timeout: float | None = Field(None, gt=0, allow_inf_nan=False, description="Seconds for this run")
    keep: str | None = Field(None, description="Checkpoints the study keeps: front, all or best N")
    hung_after: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Seconds without a heartbeat; 0 never"
    )
    grace: float | None = Field(None, ge=0, allow_inf_nan=False, description="Seconds to save after SIGTERM")


class FinishRequest(Part):
    """The options of a study's finish."""

    model_config = ConfigDict(strict=True)

    finalists: int = Field(default=3, ge=1, le=1000, description="Trials of the front to retrain, the best first")
    seeds: int = Field(default=5, ge=1, le=1000, description="How many times to retrain each, with fresh seeds")
    epochs: int | None = Field(None, ge=1, le=10_000, description="Epochs of each; by default their own")
    unseen: list[str] = Field(default=[], description="Datasets to evaluate the pick on too, NAME or NAME=PATH")


class ExtendRequest(Part):
    """The changes of a study to make."""

    trials: int | None = Field(None, ge=1, le=GREATEST, description="The new total of trials")
    timeout: float | None = Field(None, ge=1, le=1e12, description="The new total running time in seconds")
    space: dict[str, str] = Field({}, description="New search ranges of parameters, as `--set` writes them")
    objectives: list[str] = Field([], description="New objectives, the first ranks checkpoints")
    stop_when_flat: int | None = Field(
        None, ge=0, le=GREATEST, description="End once the front has not grown for this many complete trials; 0: never"
    )


class EnqueueRequest(Part):
    """A configuration for a study to try next."""

    settings: dict[str, Value] = Field(description="Values of parameters; others are drawn")


class RerunRequest(Part):
    """How a trial is trained again."""

    model_config = ConfigDict(strict=True)

    seed: int | None = Field(default=None, ge=0, le=2**32 - 1, description="A seed other than the study's")
    device: str | None = Field(
        default=None, description="A device of the service other than the trial's, as cpu or cuda:0"
    )
    data: str | None = Field(
        default=None, description="The folder of the trial's data, if it has moved; below a data root"
    )
    keep: bool = Field(default=False, description="Whether the events bring the model")


class FinishProgress(Record):
    """The progress of a study's finish: its finalists train in the queue, or test was opened."""

    study: str
    trained: str = Field(description="The study that trains the finalists")
    finish: Finish | None = Field(description="The pick's result on test; null until the finalists are trained")


class QueueEntry(Record):
    """A study in the queue of a service."""

    study: str
    owner: str
    place: int = Field(description="Its place in the queue, from 1; running studies come first")
    since: datetime = Field(description="When it was submitted")
    state: str = Field(description="running, paused or queued")
    slots: list[int] = Field(description="Numbers of the slots that it may use")
    trials_left: int
    options: dict[str, Any] = Field(description="Options of this run: trials, timeout, keep ...")

    @classmethod
    def of(cls, queued: "Queued", place: int, slots: Sequence[int]) -> Self:
        """Return the record of a study in the queue."""
        state = "running" if queued.running else "paused" if queued.paused else "queued"
        return cls(
            study=queued.study,
            owner=queued.owner,
            place=place,
            since=queued.since,
            state=state,
            slots=list(slots),
            trials_left=queued.trials_left,
            options=dict(queued.options),
        )


class Owner(Record):
    """An owner of studies, who shares the slots of a service."""

    name: str
    weight: float = Field(description="Share of the slots, relative to other owners")
    max_slots: int | None = Field(description="Maximum number of slots at once; null: all")

    @classmethod
    def of(cls, owner: "OwnerRow") -> Self:
        """Return the record of an owner."""
        return cls(name=owner.name, weight=owner.weight, max_slots=owner.max_slots)


class Disk(Record):
    """Disk use of an owner's studies."""

    owner: str = Field(description="Empty for studies not submitted to a service")
    checkpoints: int
    megabytes: float
    exported: int = Field(default=0, description="Exported models of these checkpoints that the service keeps")
    exported_megabytes: float = 0.0

    @classmethod
    def of(cls, owner: str, use: "DiskUse") -> Self:
        """Return the record of an owner's disk use."""
        return cls(
            owner=owner,
            checkpoints=use.checkpoints,
            megabytes=use.bytes / 2**20,
            exported=use.exported,
            exported_megabytes=use.exported_bytes / 2**20,
        )


class Token(Record):
    """A token, without its text."""

    name: str
    role: str = Field(description="read, run or admin")
    owner: str = Field(description="Owner of the studies it creates")
    created: datetime | None
    expires: datetime | None

    @classmethod
    def of(cls, token: "TokenRow") -> Self:
        """Return the record of a token."""
        return cls(name=token.name, role=token.role, owner=token.owner, created=token.created, expires=token.expires)


class NewToken(Record):
    """A new token; its text is shown only this once."""

    name: str
    role: str
    token: str


class Event(Record):
    """Something that happened in a study."""

    study: str
    id: int = Field(description="Its number within the study")
    kind: str = Field(description="started, epoch, stopped_early, ended, returned, front, slots, state or failed")
    trial: int | None = Field(description="The trial concerned; null for the study as a whole")
    happened: datetime | None
    data: dict[str, Any]

    @classmethod
    def of(cls, event: "StoredEvent") -> Self:
        """Return the record of an event."""
        return cls(
            study=event.study,
            id=event.id,
            kind=event.kind,
            trial=event.trial,
            happened=event.happened,
            data=dict(event.data),
        )


class Importance(Record):
    """How much each parameter decides about each objective."""

    method: str = Field(description="fANOVA or PED-ANOVA; empty with too few complete trials")
    needed: int = Field(description="Minimum number of complete trials to compute importances")
    objectives: dict[str, dict[str, float]]
