"""A service's queue of studies, in the order of submission, and the owners that share its slots."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from fersearch.errors import StudyBusy
from fersearch.store.control import PAUSE, RUN, SLOTS, STATES, add_request, requested, withdraw
from fersearch.store.database import Database, upsert
from fersearch.store.lease import driven_studies
from fersearch.store.studies import unknown_study, untrained
from fersearch.store.tables import checkpoints, control, events, owners, studies, trials
from fersearch.study import StudySpec
from fersearch.trial import TrialState


@dataclass(frozen=True)
class Owner:
    """An owner that shares the slots: by weight, with at most `max_slots` at once (None: all)."""

    name: str
    weight: float = 1.0
    max_slots: int | None = None


@dataclass(frozen=True)
class DiskUse:
    """Numbers of an owner's checkpoints and of the models exported from them, and the bytes of both."""

    checkpoints: int
    bytes: int
    exported: int = 0
    exported_bytes: int = 0


@dataclass(frozen=True)
class Queued:
    """A study in the queue of a service.

    `uid` is its random id, `observe` the observers that it requests; `options` are fields of `RunOptions`;
    `trials_left` is the number of trials left in its budget; `over` whether its budget or space is used up; `running`
    whether a living process drives it, with the slots `claimed` as its driver last reported, in the event `reported`
    (0 before the first).
    """

    study_id: int
    study: str
    owner: str
    since: datetime
    options: Mapping[str, Any] = field(default_factory=dict)
    trials_left: int = 0
    paused: bool = False
    running: bool = False
    over: bool = False
    claimed: tuple[int, ...] = ()
    reported: int = 0
    uid: str = ""
    observe: tuple[str, ...] = ()


class QueueQueries:
    """Queries on the queue; each method is one short transaction."""

    database: Database

    def enqueue(self, name: str, options: Mapping[str, Any]) -> None:
        """Put a study at the end of the queue, or resume a paused one at its position.

        Raises:
            UnknownName: there is no such study.
            StudyBusy: it runs, and options were given, which only apply to a new run.
        """
        with self.database.write() as connection:
            study_id = _id_of(connection, name)
            if options and study_id in driven_studies(connection):
                raise StudyBusy(
                    f"study '{name}' runs; {', '.join(options)} cannot be changed now", "pause it first, then resume it"
                )
            withdraw(connection, study_id, *STATES)
            connection.execute(update(studies).where(studies.c.id == study_id).values(finished=False, ending=""))
            own = (control.c.study_id == study_id, control.c.kind == RUN)
            if RUN not in requested(connection).get(study_id, ()):
                add_request(connection, study_id, RUN, options)
            elif options:
                connection.execute(update(control).where(*own).values(payload=dict(options)))

    def pause(self, name: str) -> bool:
        """Pause a study until it is queued again; its driver saves its trials and exits.

        Returns:
            Whether it was running or queued; otherwise nothing is stored.
        """
        with self.database.write() as connection:
            study_id = _id_of(connection, name)
            waiting = RUN in requested(connection).get(study_id, ())
            active = waiting or study_id in driven_studies(connection)
            if active:
                withdraw(connection, study_id, PAUSE)
                add_request(connection, study_id, PAUSE, {})
        return active

    def dequeue(self, study_id: int) -> bool:
        """Remove a study from the queue, paused or not; return whether it was in it."""
        with self.database.write() as connection:
            withdraw(connection, study_id, PAUSE)
            return withdraw(connection, study_id, RUN)

    def give_slots(self, study_id: int, slots: Sequence[int]) -> None:
        """Send the driver of a study the slots that it may use from now on."""
        with self.database.write() as connection:
            withdraw(connection, study_id, SLOTS)
            add_request(connection, study_id, SLOTS, {"slots": list(slots)})

    def queue(self) -> list[Queued]:
        """Return the studies of the queue, in the order of submission."""
        columns = (control.c.issued_at, control.c.payload, studies)
        rows = select(*columns).join(studies, studies.c.id == control.c.study_id).where(control.c.kind == RUN)
        with self.database.read() as connection:
            waiting = connection.execute(rows.order_by(control.c.id)).all()
            ids = [row.id for row in waiting]
            if not ids:
                return []
            running, requests = driven_studies(connection), requested(connection)
            claimed, ended, left_out = _claimed(connection, ids), _ended(connection, ids), untrained(connection)
        return [
            _queued(
                row,
                row.id in running,
                PAUSE in requests.get(row.id, ()),
                *claimed.get(row.id, (0, ())),
                ended.get(row.id, 0),
                left_out[row.id],
            )
            for row in waiting
        ]

    def owners(self) -> dict[str, Owner]:
        """Return the owners with a weight or a limit of their own, by name."""
        with self.database.read() as connection:
            rows = connection.execute(select(owners).order_by(owners.c.name))
            return {row.name: Owner(row.name, row.weight, row.max_slots) for row in rows}

    def disk(self) -> dict[str, tuple[int, int]]:
        """Return the number of checkpoints that the studies of each owner keep, and their bytes."""
        columns = (studies.c.owner, func.count(), func.coalesce(func.sum(checkpoints.c.bytes), 0))
        query = select(*columns).join(studies, studies.c.id == checkpoints.c.study_id).group_by(studies.c.owner)
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(studies.c.owner))
            return {owner: (count, int(size)) for owner, count, size in rows}

    def owners_of(self, digests: Collection[str]) -> set[tuple[str, str]]:
        """Return the owners of studies that keep checkpoints of these digests, as pairs (owner's name, digest)."""
        query = select(studies.c.owner, checkpoints.c.digest).join(studies, studies.c.id == checkpoints.c.study_id)
        with self.database.read() as connection:
            rows = connection.execute(query.where(checkpoints.c.digest.in_(digests)).distinct())
            return {(row.owner, row.digest) for row in rows}

    def set_owner(self, owner: Owner) -> None:
        """Store the weight and the limit of an owner."""
        row = {"name": owner.name, "weight": owner.weight, "max_slots": owner.max_slots}
        statement = upsert(self.database.dialect, owners).values(**row)
        with self.database.write() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=row))


def _id_of(connection: Connection, name: str) -> int:
    study_id = connection.execute(select(studies.c.id).where(studies.c.name == name)).scalar()
    if study_id is None:
        raise unknown_study(connection, name)
    return int(study_id)


def _queued(
    row: Row[Any], running: bool, paused: bool, reported: int, claimed: tuple[int, ...], ended: int, untrained: int
) -> Queued:
    spec = StudySpec.from_json(row.spec)
    budget, ended = spec.budget, ended - spec.uncounted(untrained)
    return Queued(
        row.id,
        row.name,
        row.owner,
        row.issued_at,
        uid=row.uid,
        observe=spec.observe,
        options=row.payload,
        trials_left=max(0, budget.trials - ended),
        paused=paused,
        running=running,
        over=bool(row.finished) or budget.used_up(ended, row.seconds_run),
        claimed=claimed if running else (),
        reported=reported,
    )


def _claimed(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[int, tuple[int, ...]]]:
    """Return the slots that each study's driver last reported, after the number of that event."""
    newest = (
        select(events.c.study_id, func.max(events.c.id).label("id"))
        .where(events.c.study_id.in_(ids), events.c.kind == SLOTS)
        .group_by(events.c.study_id)
        .subquery()
    )
    same = (events.c.study_id == newest.c.study_id) & (events.c.id == newest.c.id)
    rows = connection.execute(select(events.c.study_id, events.c.id, events.c.data).join(newest, same))
    return {study_id: (number, tuple(data["held"])) for study_id, number, data in rows}


def _ended(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return the number of ended trials of each study, which will never run again."""
    over = [state.value for state in TrialState if state.ended]
    own = (trials.c.study_id.in_(ids), trials.c.state.in_(over))
    rows = connection.execute(select(trials.c.study_id, func.count()).where(*own).group_by(trials.c.study_id))
    return {row[0]: row[1] for row in rows}
