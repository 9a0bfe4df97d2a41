"""Queries on trials: a constant number of statements however many trials there are."""

import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, and_, func, select, type_coerce

from fersearch.errors import UnknownName
from fersearch.store.database import Database, upsert
from fersearch.store.records import Checkpoint
from fersearch.store.tables import (
    attempts,
    checkpoints,
    confusion_matrices,
    epochs,
    metric_values,
    revised,
    trial_values,
    trials,
)
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState

Key = tuple[int, int, int]  # trial, attempt, epoch

TOGETHER = 64
"""Number of trials whose epochs one query reads, so that memory does not grow with the number of trials."""


class TrialQueries:
    """Queries on trials, and updates after their end; each method is one short transaction."""

    database: Database

    def trials(
        self, study_id: int, names: Collection[str] | None = None, *, of: Collection[int] | None = None
    ) -> list[Trial]:
        """Return the trials by number, with their values and attempts.

        `names` limits the values, `of` the numbers of the trials.
        """
        with self.database.read() as connection:
            return read_trials(connection, study_id, of, names)

    def trial(self, study_id: int, number: int) -> Trial:
        """Return one trial; UnknownName if the study has none of that number."""
        with self.database.read() as connection:
            rows = _read(connection, study_id, [number], None)
            if rows:
                return rows[0]
            numbers = _numbers(connection, study_id)
        known = f"its trials are {min(numbers)} to {max(numbers)}" if numbers else "it has no trials yet"
        raise UnknownName(f"the study has no trial {number}", known)

    def set_value(self, study_id: int, number: int, name: str, value: float) -> None:
        """Store a value measured after a trial ended, replacing an earlier one; NaN becomes NULL."""
        self.set_values(study_id, number, {name: value})

    def set_values(self, study_id: int, number: int, values: Mapping[str, float]) -> None:
        """Store values measured after a trial ended in one transaction: all of them or none."""
        own_key = {"study_id": study_id, "trial": number}
        rows = [
            {**own_key, "name": name, "value": None if math.isnan(value) else value} for name, value in values.items()
        ]
        own = upsert(self.database.dialect, trial_values)
        key = ["study_id", "trial", "name"]
        statement = own.on_conflict_do_update(index_elements=key, set_={"value": own.excluded.value})
        with self.database.write() as connection:
            connection.execute(statement, rows)
            connection.execute(revised(study_id))

    def history(self, study_id: int, number: int) -> list[Epoch]:
        """Return the epochs of one trial in order, with confusion matrices; where attempts overlap, the latest's."""
        where = (confusion_matrices.c.study_id == study_id, confusion_matrices.c.trial == number)
        with self.database.read() as connection:
            rows = connection.execute(select(confusion_matrices).where(*where))
            counts = {(row.trial, row.attempt, row.epoch): row.counts for row in rows}
            return _epochs(connection, study_id, [number], counts=counts).get(number, [])

    def epoch_values(
        self,
        study_id: int,
        names: Collection[str] | None = None,
        *,
        of: Iterable[int] | None = None,
        at: Collection[int] | None = None,
    ) -> dict[int, list[Epoch]]:
        """Return the epochs of every trial that has some, by its number, without confusion matrices.

        `names` limits the metrics, `of` the numbers of the trials, `at` the numbers of the epochs.
        """
        return dict(self.histories(study_id, names, of=of, at=at))

    def histories(
        self,
        study_id: int,
        names: Collection[str] | None = None,
        *,
        of: Iterable[int] | None = None,
        at: Collection[int] | None = None,
    ) -> Iterator[tuple[int, list[Epoch]]]:
        """Yield the items of `epoch_values` trial by trial, in one transaction that lasts until the iterator ends."""
        with self.database.read() as connection:
            numbers = sorted(_numbers(connection, study_id) if of is None else of)
            for start in range(0, len(numbers), TOGETHER):
                yield from _epochs(connection, study_id, numbers[start : start + TOGETHER], names, at).items()

    def recorded_at(
        self, study_id: int, at: Collection[int] | None = None
    ) -> dict[tuple[int, int], tuple[datetime, datetime]]:
        """Return the times of the first and last record of each epoch, by the numbers of trial and epoch.

        `at` limits the numbers of the epochs.
        """
        c = epochs.c
        query = select(c.trial, c.number, func.min(c.recorded_at), func.max(c.recorded_at))
        query = query.where(c.study_id == study_id).group_by(c.trial, c.number)
        with self.database.read() as connection:
            rows = connection.execute(query if at is None else query.where(c.number.in_(at))).all()
        return {(trial, number): (first, last) for trial, number, first, last in rows}

    def checkpoints(self, study_id: int) -> list[Checkpoint]:
        """Return the checkpoints of a study, by trial."""
        c = checkpoints.c
        query = select(c.trial, c.digest, c.epoch, c.bytes, c.created_at).where(c.study_id == study_id)
        with self.database.read() as connection:
            return [Checkpoint(*row) for row in connection.execute(query.order_by(c.trial, c.created_at))]

    def trials_since(self, study_id: int, moment: datetime) -> int:
        """Return the number of trials of a study that began after a moment."""
        query = select(func.count()).where(trials.c.study_id == study_id, trials.c.created_at > moment)
        with self.database.read() as connection:
            return connection.execute(query).scalar_one()

    def refers_to(self, digest: str) -> bool:
        """Return whether a trial of any study keeps the checkpoint of that digest."""
        query = select(checkpoints.c.trial).where(checkpoints.c.digest == digest).limit(1)
        with self.database.read() as connection:
            return connection.execute(query).first() is not None


def read_trials(
    connection: Connection, study_id: int, of: Collection[int] | None = None, names: Collection[str] | None = None
) -> list[Trial]:
    """Return the trials of a study by number; `names` limits the values, `of` the numbers."""
    if of is None:
        return _read(connection, study_id, None, names)
    numbers = sorted(of)
    parts = (numbers[start : start + TOGETHER] for start in range(0, len(numbers), TOGETHER))
    return [trial for part in parts for trial in _read(connection, study_id, part, names)]


def _numbers(connection: Connection, study_id: int) -> Sequence[int]:
    return connection.execute(select(trials.c.number).where(trials.c.study_id == study_id)).scalars().all()


def valid_epochs(keys: Iterable[Key]) -> dict[int, list[Key]]:
    """Return each trial's valid epochs, in order.

    An attempt resumes from a state, so its first epoch and all after it replace those of the attempts before.
    """
    epochs: dict[int, list[Key]] = defaultdict(list)
    # From the last attempt back to the first, each from its last epoch back: valid ones are below all seen so far.
    for key in sorted(keys, reverse=True):
        valid = epochs[key[0]]
        if not valid or key[2] < valid[-1][2]:
            valid.append(key)
    return {trial: valid[::-1] for trial, valid in sorted(epochs.items())}


class _Decoded(dict[str, Any]):
    """A cache of decoded JSON by its text, since nearly all trials share their spaces and facts."""

    def __missing__(self, text: str) -> Any:
        self[text] = json.loads(text)
        return self[text]


def _read(
    connection: Connection, study_id: int, numbers: Collection[int] | None, names: Collection[str] | None
) -> list[Trial]:
    values = _values(connection, study_id, numbers, names)
    tried = _attempts(connection, study_id, numbers)
    chosen = _where(trials.c.study_id == study_id, trials.c.number, numbers)
    rows = connection.execute(select(*_SHOWN).where(*chosen).order_by(trials.c.number)).all()
    reached = _last_epochs(connection, study_id, numbers)
    decoded = _Decoded()
    return [
        _trial(
            row,
            decoded,
            values.get(row.number, {}),
            tuple(tried.get(row.number, ())),
            reached.get(row.number, row.epochs),
        )
        for row in rows
    ]


_SHOWN = (
    trials.c.number,
    trials.c.state,
    trials.c.epochs,
    trials.c.kept_epoch,
    trials.c.checkpoint,
    trials.c.params,
    type_coerce(trials.c.verdict, Text),
    type_coerce(trials.c.space, Text),
    type_coerce(trials.c.sampler_state, Text),
    trials.c.released,
    trials.c.data_digest,
)


def _trial(row: Any, decoded: _Decoded, values: Mapping[str, float], tried: tuple[Attempt, ...], reached: int) -> Trial:
    state = TrialState(row.state)
    return Trial(
        number=row.number,
        params=row.params,
        state=state,
        values=values,
        epochs=row.epochs if state.ended else reached,
        kept_epoch=row.kept_epoch,
        checkpoint=row.checkpoint,
        attempts=tried,
        space=decoded[row.space],
        sampler_state=decoded[row.sampler_state],
        verdict=decoded[row.verdict],
        released=row.released,
        data_digest=row.data_digest,
    )


def _last_epochs(connection: Connection, study_id: int, numbers: Collection[int] | None) -> dict[int, int]:
    """Return the last epoch of each unfinished trial, whose own row is not updated with every epoch."""
    c, t = epochs.c, trials.c
    last = select(c.trial, func.max(c.number)).join_from(
        trials, epochs, and_(t.study_id == c.study_id, t.number == c.trial)
    )
    under_way = t.state.in_([state.value for state in TrialState if not state.ended])
    last = last.where(under_way, *_where(t.study_id == study_id, t.number, numbers))
    # Where attempts overlap, the latest is valid.
    return dict(connection.execute(last.group_by(c.trial, c.attempt).order_by(c.attempt)).all())


def _values(
    connection: Connection, study_id: int, numbers: Collection[int] | None, names: Collection[str] | None
) -> dict[int, dict[str, float]]:
    c = trial_values.c
    query = select(c.trial, c.name, c.value).where(*_where(c.study_id == study_id, c.trial, numbers))
    query = query if names is None else query.where(c.name.in_(names))
    by_trial: dict[int, dict[str, float]] = defaultdict(dict)
    for trial, name, value in connection.execute(query).all():
        by_trial[trial][intern(name)] = math.nan if value is None else value
    return by_trial


def _attempts(connection: Connection, study_id: int, numbers: Collection[int] | None) -> dict[int, list[Attempt]]:
    c = attempts.c
    shown = (c.number, c.reason, c.message, c.traceback, c.first_epoch, c.last_epoch, c.seconds, c.pid, c.log)
    query = select(c.trial, *shown, type_coerce(c.facts, Text))
    query = query.where(*_where(c.study_id == study_id, c.trial, numbers))
    by_trial: dict[int, list[Attempt]] = defaultdict(list)
    decoded = _Decoded()
    for trial, own, reason, *columns, facts in connection.execute(query.order_by(c.trial, c.number)).all():
        by_trial[trial].append(Attempt(own, Reason(reason) if reason else None, *(*columns, decoded[facts])))
    return by_trial


def _epochs(
    connection: Connection,
    study_id: int,
    numbers: Collection[int],
    names: Collection[str] | None = None,
    at: Collection[int] | None = None,
    counts: Mapping[Key, Any] | None = None,
) -> dict[int, list[Epoch]]:
    c = epochs.c
    query = select(c.trial, c.attempt, c.number, c.seconds, c.cpu_seconds, c.round, c.ends_round)
    query = query.where(c.study_id == study_id, c.trial.in_(numbers))
    rows = connection.execute(query if at is None else query.where(c.number.in_(at), _is_valid()))
    own: dict[Key, tuple[float, float, int, bool]] = {(row[0], row[1], row[2]): tuple(row[3:]) for row in rows}
    tried = {attempt for _, attempt, _ in own}
    values = _by_epoch(connection, _measured(study_id, numbers, names, at, tried))
    return {
        trial: [_epoch(key[2], values.get(key, {}), (counts or {}).get(key), *own[key]) for key in keys]
        for trial, keys in valid_epochs(own).items()
    }


def _is_valid() -> ColumnElement[bool]:
    """Return `valid_epochs` as an SQL condition, for queries that do not read the epochs."""
    c, later = epochs.c, epochs.alias().c
    same = (later.study_id == c.study_id, later.trial == c.trial)
    return ~select(later.number).where(*same, later.attempt > c.attempt, later.number <= c.number).exists()


def _measured(
    study_id: int,
    numbers: Collection[int],
    names: Collection[str] | None,
    at: Collection[int] | None,
    tried: Collection[int],
) -> Select[int, int, int, str, float]:
    m = metric_values.c
    query = select(m.trial, m.attempt, m.epoch, m.name, m.value).where(m.study_id == study_id, m.trial.in_(numbers))
    if at is not None:
        # With the attempts all columns of the key are given; without them all values of a trial would be scanned.
        query = query.where(m.attempt.in_(tried), m.epoch.in_(at))
    return query if names is None else query.where(m.name.in_(names))


def _epoch(
    number: int, values: Mapping[str, float], counts: Any, seconds: float, cpu_seconds: float, round: int, last: bool
) -> Epoch:
    return Epoch(number, values, seconds, cpu_seconds, counts, round, last)


def _by_epoch(connection: Connection, query: Select[int, int, int, str, float]) -> dict[Key, dict[str, float]]:
    by_epoch: dict[Key, dict[str, float]] = defaultdict(dict)
    for trial, attempt, epoch, name, value in connection.execute(query).all():
        by_epoch[trial, attempt, epoch][intern(name)] = math.nan if value is None else value
    return by_epoch


def _where(
    study: ColumnElement[bool], column: ColumnElement[int], numbers: Collection[int] | None
) -> list[ColumnElement[bool]]:
    return [study] if numbers is None else [study, column.in_(numbers)]
