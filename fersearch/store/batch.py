"""The rows of a writer, collected for one transaction: a few statements of many rows, never one per row.

Thousands of rows go straight to the database's driver: SQLAlchemy would process each value of each row, which for so
many rows of plain values is most of the work.
"""

import itertools
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Dialect, bindparam, delete, update

from fersearch.escaping import masked
from fersearch.formatting import finite
from fersearch.store import logbook
from fersearch.store.bulk import Bulk, Reach
from fersearch.store.database import upsert
from fersearch.store.enqueued import withdraw_enqueued
from fersearch.store.events import Event, old_events
from fersearch.store.tables import (
    attempts,
    checkpoints,
    confusion_matrices,
    epochs,
    events,
    metric_values,
    studies,
    trial_values,
    trials,
)
from fersearch.trial import Attempt, Enqueued, Epoch, Trial, TrialState

Row = dict[str, Any]
Key = tuple[int, int, int, int]
"""Study, trial, attempt and number of an epoch."""


class Statements:
    """The prepared statements of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.trial = Bulk(dialect, trials)
        self.attempt = Bulk(dialect, attempts)
        own = (trials.c.study_id == bindparam("of_study"), trials.c.number == bindparam("of_trial"))
        self.state = update(trials).where(*own).values(state=bindparam("new_state"))
        values = trial_values.c
        own_values = (values.study_id == bindparam("of_study"), values.trial == bindparam("of_trial"))
        self.forget_values = delete(trial_values).where(*own_values)
        self.release = update(trials).where(*own).values(checkpoint=None, released=bindparam("policy"))
        columns = checkpoints.c
        conditions = (columns.study_id == bindparam("of_study"), columns.trial == bindparam("of_trial"))
        self.forget_checkpoint = delete(checkpoints).where(*conditions)
        superseded = (epochs.c.study_id == bindparam("of_study"), epochs.c.trial == bindparam("of_trial"))
        self.forget_epochs = delete(epochs).where(*superseded, epochs.c.attempt < bindparam("before_attempt"))
        self.value = Bulk(dialect, trial_values)
        self.epoch = Bulk(dialect, epochs)
        self.reach = Reach(dialect)
        self.metric = Bulk(dialect, metric_values)
        self.confusion = Bulk(dialect, confusion_matrices)
        self.event = Bulk(dialect, events)
        self.checkpoint = upsert(dialect.name, checkpoints).on_conflict_do_nothing()


_TRIAL_FIELDS = ("number", "epochs", "kept_epoch", "checkpoint", "released", "data_digest")
_TRIAL_CHANGES = (
    "state",
    "epochs",
    "kept_epoch",
    "checkpoint",
    "ended_at",
    "params",
    "verdict",
    "space",
    "sampler_state",
    "released",
    "data_digest",
)
_ATTEMPT_CHANGES = (
    "reason",
    "first_epoch",
    "last_epoch",
    "seconds",
    "pid",
    "ended_at",
    "environment_id",
    "resumed_from",
    "seconds_to_first_step",
    "log",
    "message",
    "traceback",
    "facts",
)
_ENVIRONMENT = ("device", "device_name", "precision", "memory_format", "torch", "threads")
_ATTEMPT_FACTS = ("resumed_from", "seconds_to_first_step")


class Batch:
    """Rows for one transaction. The last version of a trial or an attempt counts, the first of an epoch."""

    def __init__(self, study_id: int) -> None:
        self.study_id = study_id
        self.trials: dict[int, Row] = {}
        self.values: dict[int, list[tuple[Any, ...]]] = {}
        self.running: set[int] = set()
        self.attempts: dict[tuple[int, int], Row] = {}
        self.facts: dict[tuple[int, int], Mapping[str, Any]] = {}
        self.epochs: dict[Key, tuple[Any, ...]] = {}
        self.reached: dict[tuple[int, int, int], tuple[int, int]] = {}
        self.metrics: list[tuple[Any, ...]] = []
        self.withdrawn: list[Enqueued] = []
        self.confusions: list[tuple[Any, ...]] = []
        self.checkpoints: dict[int, Row] = {}
        self.released: dict[int, str] = {}
        self.superseded: dict[int, int] = {}
        self.events: list[tuple[Any, ...]] = []
        self.forget_before: datetime | None = None
        self.seconds_run: float | None = None
        self.actions: list[Callable[[], None]] = []

    @property
    def has_rows(self) -> bool:
        """Whether there is more to write than the running time."""
        return bool(self.trials or self.running or self.attempts or self.epochs or self.released)

    def trial(self, trial: Trial, moment: datetime) -> None:
        """Add the row of a trial and those of its values."""
        row = {name: getattr(trial, name) for name in _TRIAL_FIELDS}
        plain = {name: dict(getattr(trial, name)) for name in ("params", "verdict", "space", "sampler_state")}
        ended = moment if trial.state.ended else None
        row |= plain | {"study_id": self.study_id, "state": trial.state.value, "created_at": moment, "ended_at": ended}
        self.trials[trial.number] = row
        self.running.discard(trial.number)
        values = trial.values.items()
        self.values[trial.number] = [(self.study_id, trial.number, name, _number(value)) for name, value in values]

    def start(self, number: int, attempt: Attempt, moment: datetime) -> None:
        """Add the row of an attempt, and mark its trial as running."""
        self._attempt(number, attempt, moment)
        self.running.add(number)

    def epoch(self, number: int, attempt: int, epoch: Epoch, moment: datetime) -> None:
        """Add the rows of an epoch, and the attempt's last epoch."""
        key = (self.study_id, number, attempt, epoch.number)
        if key in self.epochs:
            return
        first, _ = self.reached.get(key[:3], (epoch.number, 0))
        self.reached[key[:3]] = first, epoch.number
        self.epochs[key] = (*key, epoch.seconds, epoch.cpu_seconds, moment, epoch.round, epoch.last)
        self.metrics += [(*key, name, _number(value)) for name, value in epoch.values.items()]
        if epoch.confusion is not None:
            self.confusions.append((*key, [list(map(int, row)) for row in epoch.confusion]))

    def end(self, trial: Trial, attempt: Attempt, facts: Mapping[str, Any], moment: datetime) -> None:
        """Add the rows of a trial, its ended attempt, and the attempt's checkpoint."""
        self.trial(trial, moment)
        self._attempt(trial.number, attempt, moment)
        self.attempts[trial.number, attempt.number]["ended_at"] = moment
        self.attempts[trial.number, attempt.number] |= {name: facts.get(name) for name in _ATTEMPT_FACTS}
        apart = (*_ATTEMPT_FACTS, "checkpoint_bytes")
        shared = {name: fact for name, fact in facts.items() if name not in apart}
        self.attempts[trial.number, attempt.number]["facts"] = shared
        self.facts[trial.number, attempt.number] = {k: v for k, v in shared.items() if k in _ENVIRONMENT}
        size = facts.get("checkpoint_bytes")
        if trial.checkpoint:
            row = {"study_id": self.study_id, "trial": trial.number, "digest": trial.checkpoint, "created_at": moment}
            self.checkpoints[trial.number] = {**row, "epoch": trial.kept_epoch, "bytes": size}

    def release(self, number: int, policy: str) -> None:
        """Record that a trial, otherwise unchanged, has released its checkpoint under a policy."""
        self.checkpoints.pop(number, None)
        self.released[number] = policy

    def forget_epochs(self, number: int, attempt: int) -> None:
        """Record that a trial restarts with an attempt, so that the epochs of earlier ones do not count."""
        self.superseded[number] = attempt

    def event(self, event: Event, number: int, moment: datetime) -> None:
        """Add an event of the study, by its number."""
        self.events.append((self.study_id, number, moment, event.kind, event.trial, finite(dict(event.data))))

    def seconds(self, total: float) -> None:
        """Set the study's total running time; being a total, it may be written twice."""
        self.seconds_run = total

    def write(self, connection: Connection, statements: Statements) -> None:
        """Execute all statements, parents first."""
        for key, facts in self.facts.items():
            if facts:
                environment = logbook.environment(connection, connection.dialect.name, self.study_id, facts)
                self.attempts[key]["environment_id"] = environment
        of_released = [{"of_study": self.study_id, "of_trial": number} for number in self.released]
        of_trials = [{"of_study": self.study_id, "of_trial": number} for number in self.values]
        superseded = [
            {"of_study": self.study_id, "of_trial": number, "before_attempt": attempt}
            for number, attempt in self.superseded.items()
        ]
        running = {"of_study": self.study_id, "new_state": TrialState.RUNNING.value}
        statements.trial.upsert(connection, list(self.trials.values()), _TRIAL_CHANGES)
        statements.attempt.upsert(connection, list(self.attempts.values()), _ATTEMPT_CHANGES)
        for statement, rows in (
            (statements.state, [{**running, "of_trial": number} for number in self.running]),
            (statements.forget_values, of_trials),
            (statements.release, [{**row, "policy": self.released[row["of_trial"]]} for row in of_released]),
            (statements.forget_checkpoint, of_released),
            (statements.forget_epochs, superseded),
            (statements.checkpoint, list(self.checkpoints.values())),
        ):
            if rows:
                connection.execute(statement, rows)
        statements.value.insert(connection, list(itertools.chain.from_iterable(self.values.values())))
        new = statements.epoch.insert_new(connection, list(self.epochs.values()))
        statements.reach.update(connection, [(*key, *reached) for key, reached in self.reached.items()])
        for bulk, of_epochs in ((statements.metric, self.metrics), (statements.confusion, self.confusions)):
            all_new = len(new) == len(self.epochs)
            bulk.insert(connection, of_epochs if all_new else [row for row in of_epochs if row[:4] in new])
        for configuration in self.withdrawn:
            withdraw_enqueued(connection, self.study_id, configuration)
        statements.event.insert_new(connection, self.events)
        if self.forget_before is not None:
            connection.execute(old_events(self.study_id, self.forget_before))
        if self.seconds_run is not None:
            own = update(studies).where(studies.c.id == self.study_id)
            connection.execute(own.values(seconds_run=self.seconds_run))

    def _attempt(self, number: int, attempt: Attempt, moment: datetime) -> None:
        row: Row = {name: getattr(attempt, name) for name in ("number", "first_epoch", "last_epoch", "seconds", "pid")}
        texts = {
            "log": attempt.log and _text(attempt.log),
            "message": _text(attempt.message),
            "traceback": _text(attempt.traceback),
        }
        reason = attempt.reason.value if attempt.reason else None
        row |= texts | {"study_id": self.study_id, "trial": number, "reason": reason, "started_at": moment}
        later = dict.fromkeys(("ended_at", "environment_id", *_ATTEMPT_FACTS))
        self.attempts[number, attempt.number] = row | later | {"facts": dict(attempt.facts)}


def _number(value: float) -> float | None:
    """Return the value; NaN becomes NULL, as in SQLite itself."""
    return None if math.isnan(value) else float(value)


def _text(text: str) -> str:
    """Return the text without passwords in URLs, null characters and lone surrogates, which databases reject."""
    return masked(text).replace("\0", "\\0").encode("utf-8", "backslashreplace").decode("utf-8")
