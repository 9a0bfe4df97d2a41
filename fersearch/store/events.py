"""Events of studies, in order: written in the transaction of the rows they describe, read by observers."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, and_, delete, func, or_, select

from fersearch.store.control import SLOTS
from fersearch.store.database import Database
from fersearch.store.studies import unknown_study
from fersearch.store.tables import events, studies
from fersearch.trial import Attempt, Epoch, Trial, TrialState

DAYS = 7
"""Days that an event is kept; the last one of a study is kept longer, as the next number follows from it."""
LOSSES = ("train_loss", "valid_loss")
"""Metrics in events of epochs besides the objectives."""
MOST = 1_000
"""Most events read at a time."""


@dataclass(frozen=True)
class Event:
    """An event of a trial, or (`trial` None) of the study as a whole."""

    kind: str
    trial: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StoredEvent(Event):
    """A stored event: its number `id` within its study, and its time."""

    study_id: int = 0
    study: str = ""
    id: int = 0
    happened: datetime | None = None


def started(number: int, attempt: Attempt) -> Event:
    """Return the event of an attempt of a trial that begins."""
    return Event("started", number, {"attempt": attempt.number})


def epoch_recorded(number: int, epoch: Epoch, metrics: Collection[str]) -> Event:
    """Return the event of a recorded epoch, with its values of some metrics."""
    facts = {"epoch": epoch.number, "round": epoch.round, "seconds": epoch.seconds}
    values = {name: value for name, value in epoch.values.items() if name in metrics}
    return Event("epoch", number, {**facts, "values": values})


def ended(trial: Trial, attempt: Attempt, metrics: Collection[str]) -> Event:
    """Return the event of an ended attempt, with its trial's new state."""
    kind = {TrialState.PRUNED: "stopped_early", TrialState.WAITING: "returned"}.get(trial.state, "ended")
    facts = {"state": trial.state.value, "reason": attempt.reason, "message": attempt.message, "epochs": trial.epochs}
    values = {name: value for name, value in trial.values.items() if name in metrics}
    return Event(kind, trial.number, {**facts, "values": values, "verdict": dict(trial.verdict)})


def changed(trial: Trial) -> Event:
    """Return the event of any other change of a trial; one with a verdict was compared by the pruner."""
    if not trial.verdict:
        return Event("changed", trial.number, {"state": trial.state.value})
    return Event("judged", trial.number, {"verdict": dict(trial.verdict)})


def released(trial: Trial) -> Event:
    """Return the event of a trial that has released its checkpoint under its keep policy."""
    return Event("released", trial.number, {"policy": trial.released})


def front_changed(numbers: Sequence[int]) -> Event:
    """Return the event of a changed front, with its trials, best first."""
    return Event("front", None, {"trials": list(numbers)})


def study_changed(kind: str, data: Mapping[str, Any]) -> Event:
    """Return an event about the study as a whole."""
    return Event(kind, None, data)


def old_events(study_id: int, before: datetime) -> Delete:
    """Return the statement that removes a study's events before a moment, except its last one and its last of slots.

    The last report of slots says which ones the driver holds, however old it is.
    """
    last = select(func.max(events.c.id)).where(events.c.study_id == study_id)
    retained = (last.scalar_subquery(), last.where(events.c.kind == SLOTS).scalar_subquery())
    own = (events.c.study_id == study_id, events.c.happened_at < before)
    return delete(events).where(*own, *(events.c.id != func.coalesce(number, 0) for number in retained))


class EventQueries:
    """Queries on events; each method is one short transaction."""

    database: Database

    def last_event(self, study_id: int) -> int:
        """Return the number of a study's last event; 0 if there is none."""
        query = select(func.max(events.c.id)).where(events.c.study_id == study_id)
        with self.database.read() as connection:
            return connection.execute(query).scalar() or 0

    def last_events(self) -> dict[int, int]:
        """Return the number of the last event of each study, by the study's id; 0 if there is none."""
        last = select(func.max(events.c.id)).where(events.c.study_id == studies.c.id).scalar_subquery()
        with self.database.read() as connection:
            return {key: number or 0 for key, number in connection.execute(select(studies.c.id, last))}

    def version(self, name: str) -> tuple[int, int, int]:
        """Return a study's id, revision and last event's number; they change with its trials, data and baseline.

        A writer stores an event with each change of a trial; any other change increases the revision.

        Raises:
            UnknownName: there is no such study.
        """
        last = select(func.max(events.c.id)).where(events.c.study_id == studies.c.id).scalar_subquery()
        with self.database.read() as connection:
            own = select(studies.c.id, studies.c.revision, last).where(studies.c.name == name)
            row = connection.execute(own).one_or_none()
            if row is None:
                raise unknown_study(connection, name)
        return row[0], row[1], row[2] or 0

    def events_after(self, cursor: Mapping[int, int], most: int = MOST) -> list[StoredEvent]:
        """Return the events of studies after a number in each, by study and number, `most` at a time."""
        after = [and_(events.c.study_id == key, events.c.id > number) for key, number in cursor.items()]
        if not after:
            return []
        query = select(events, studies.c.name).join(studies, studies.c.id == events.c.study_id).where(or_(*after))
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(events.c.study_id, events.c.id).limit(most)).all()
        return [
            StoredEvent(row.kind, row.trial, row.data, row.study_id, row.name, row.id, row.happened_at) for row in rows
        ]
