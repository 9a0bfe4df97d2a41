"""The tables in SQLAlchemy. Trials, attempts and epochs are keyed by the numbers that users see.

`migrations/` creates them; a test compares the two.
"""

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    Update,
    false,
    func,
    select,
    update,
)

metadata = MetaData()


class Json(TypeDecorator[Any]):
    """Plain data as JSON text, the same in every database, including infinities."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the value as the database stores it."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Return the stored value as Python has it."""
        return None if value is None else json.loads(value)


class Moment(TypeDecorator[datetime]):
    """A UTC timestamp, read back with its time zone even where the database stores none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the value as the database stores it."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the stored value as Python has it."""
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def clock(connection: Connection) -> datetime:
    """Return the database's own time, since hosts' clocks may differ."""
    return connection.execute(select(func.current_timestamp(type_=Moment))).scalar_one()


def _study(**options: Any) -> "Column[int]":
    return Column("study_id", Integer, ForeignKey("studies.id", ondelete="CASCADE"), **options)


def _key(*names: str) -> list["Column[int]"]:
    return [Column(name, Integer, primary_key=True, autoincrement=False) for name in names]


def _belongs_to(parent: str, own: tuple[str, ...], theirs: tuple[str, ...]) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(own, [f"{parent}.{name}" for name in theirs], ondelete="CASCADE")


def _holder() -> list["Column[Any]"]:
    """Return the columns that name a process; see `fersearch.store.lease.Holder`."""
    return [
        Column("host", Text, nullable=False),
        Column("pid", Integer, nullable=False),
        Column("process_started", Text, nullable=False),
        Column("boot_id", Text, nullable=False),
        Column("pid_namespace", Text, nullable=False),
    ]


def _of_trial() -> ForeignKeyConstraint:
    return _belongs_to("trials", ("study_id", "trial"), ("study_id", "number"))


# A uid is random, so that no two databases share one: files outside the database are named by it.
studies = Table(
    "studies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("model", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("objectives", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seconds_run", Double, nullable=False),
    Column("baseline", Json, nullable=False),
    Column("spec", Json, nullable=False),
    Column("uid", Text, nullable=False, server_default=""),
    Column("data", Json, nullable=False, server_default="{}"),
    Column("finished", Boolean, nullable=False, server_default=false()),
    Column("owner", Text, nullable=False, server_default=""),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("ending", Text, nullable=False, server_default=""),
    Column("cost_spreads", Json, nullable=False, server_default="{}"),
    Index("studies_by_uid", "uid", unique=True),
    sqlite_autoincrement=True,
)

# One row: the random id that identifies this database.
identity = Table("identity", metadata, Column("id", Text, primary_key=True))

plugin_files = Table(
    "plugin_files",
    metadata,
    _study(primary_key=True),
    Column("path", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("source", Text, nullable=False),
)

# `written` counts the transactions in which the holder wrote rows; an older copy of the database has fewer.
leases = Table(
    "leases",
    metadata,
    _study(primary_key=True, autoincrement=False),
    *_holder(),
    Column("token", Text, nullable=False),
    Column("since", Moment, nullable=False),
    Column("last_beat_at", Moment, nullable=False),
    Column("written", Integer, nullable=False, server_default="0"),
)

environments = Table(
    "environments",
    metadata,
    Column("id", Integer, primary_key=True),
    _study(nullable=False),
    Column("digest", Text, nullable=False),
    Column("first_seen_at", Moment, nullable=False),
    Column("facts", Json, nullable=False),
    Index("environments_by_digest", "study_id", "digest", unique=True),
)

trials = Table(
    "trials",
    metadata,
    _study(primary_key=True, autoincrement=False),
    *_key("number"),
    Column("state", Text, nullable=False),
    Column("epochs", Integer, nullable=False),
    Column("kept_epoch", Integer),
    Column("checkpoint", Text),
    Column("created_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("params", Json, nullable=False),
    Column("verdict", Json, nullable=False),
    Column("space", Json, nullable=False),
    Column("sampler_state", Json, nullable=False),
    Column("released", Text, nullable=False, server_default=""),
    Column("data_digest", Text, nullable=False, server_default=""),
    Index("trials_by_state", "study_id", "state"),
)

trial_values = Table(
    "trial_values",
    metadata,
    *_key("study_id", "trial"),
    Column("name", Text, primary_key=True),
    Column("value", Double),
    _of_trial(),
    sqlite_with_rowid=False,
)

# Trials of another study that a study's sampler starts with; `number` is that in the other study.
prior_trials = Table(
    "prior_trials",
    metadata,
    _study(primary_key=True, autoincrement=False),
    *_key("number"),
    Column("params", Json, nullable=False),
    Column("metrics", Json, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    *_key("study_id", "trial", "number"),
    Column("reason", Text),
    Column("first_epoch", Integer),
    Column("last_epoch", Integer),
    Column("seconds", Double),
    Column("pid", Integer),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment),
    Column("environment_id", Integer, ForeignKey("environments.id", ondelete="SET NULL")),
    Column("resumed_from", Integer),
    Column("seconds_to_first_step", Double),
    Column("log", Text),
    Column("message", Text, nullable=False),
    Column("traceback", Text, nullable=False),
    Column("facts", Json, nullable=False, server_default="{}"),
    _of_trial(),
)

epochs = Table(
    "epochs",
    metadata,
    *_key("study_id", "trial", "attempt", "number"),
    Column("seconds", Double, nullable=False),
    Column("cpu_seconds", Double, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("round", Integer, nullable=False, server_default="1"),
    Column("ends_round", Boolean, nullable=False, server_default=false()),
    _belongs_to("attempts", ("study_id", "trial", "attempt"), ("study_id", "trial", "number")),
    sqlite_with_rowid=False,
)

# The rows of an epoch's metrics and matrix are written with it, so that no foreign key need check each of them;
# a trigger removes them with it.
metric_values = Table(
    "metric_values",
    metadata,
    *_key("study_id", "trial", "attempt", "epoch"),
    Column("name", Text, primary_key=True),
    Column("value", Double),
    sqlite_with_rowid=False,
)

confusion_matrices = Table(
    "confusion_matrices",
    metadata,
    *_key("study_id", "trial", "attempt", "epoch"),
    Column("counts", Json, nullable=False),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    *_key("study_id", "trial"),
    Column("digest", Text, primary_key=True),
    Column("epoch", Integer),
    Column("bytes", BigInteger),
    Column("created_at", Moment, nullable=False),
    _of_trial(),
)

looks = Table(
    "looks",
    metadata,
    Column("id", Integer, primary_key=True),
    _study(index=True),
    Column("checkpoint", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("n", Integer, nullable=False),
    Column("looked_at", Moment, nullable=False),
    Column("metrics", Json, nullable=False),
)

# Requests of other commands to a study's driver, `issued_at` by the database's clock.
control = Table(
    "control",
    metadata,
    Column("id", Integer, primary_key=True),
    _study(nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("taken_at", Moment),
    Column("payload", Json, nullable=False),
)

# Events of a study, written with its rows; `id` increases by one within the study.
events = Table(
    "events",
    metadata,
    *_key("study_id", "id"),
    Column("happened_at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trial", Integer),
    Column("data", Json, nullable=False),
    ForeignKeyConstraint(["study_id"], ["studies.id"], ondelete="CASCADE"),
    sqlite_with_rowid=False,
)

# Access to the service: the SHA-256 of a token, or of a browser's session that a token (`parent`) opened.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Column("parent", Integer, ForeignKey("tokens.id", ondelete="CASCADE")),
    Column("session", Boolean, nullable=False, server_default=false()),
)

# Owners that share the slots of a service: by weight, with at most `max_slots`.
owners = Table(
    "owners",
    metadata,
    Column("name", Text, primary_key=True),
    Column("weight", Double, nullable=False),
    Column("max_slots", Integer),
)

# One row: the process that is the service of this database, and its address.
services = Table(
    "services",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("address", Text, nullable=False),
    *_holder(),
    Column("token", Text, nullable=False),
    Column("last_beat_at", Moment, nullable=False),
)


def revised(study_id: int) -> Update:
    """Return the statement that increases a study's revision, which invalidates caches of it."""
    return update(studies).where(studies.c.id == study_id).values(revision=studies.c.revision + 1)


# Every table that holds rows of one study, children first.
STUDY_TABLES = (
    events,
    confusion_matrices,
    metric_values,
    epochs,
    attempts,
    trial_values,
    checkpoints,
    trials,
    prior_trials,
    environments,
    control,
    looks,
    plugin_files,
    leases,
)
