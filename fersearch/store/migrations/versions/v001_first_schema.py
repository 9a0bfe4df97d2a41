"""The first schema."""

from typing import Any

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    Text,
    UniqueConstraint,
)

revision = "1"
down_revision = None

MOMENT = DateTime(timezone=True)
JSON = Text()
EPOCH = ("study_id", "trial", "attempt", "epoch")


def upgrade() -> None:
    """Create every table and view."""
    _studies()
    _beside_a_study()
    _requests_of_a_study()
    _trials()
    _attempts()
    _epochs()
    _views()


def _key(*names: str) -> list["Column[int]"]:
    return [Column(name, Integer(), primary_key=True, autoincrement=False) for name in names]


def _study(**options: Any) -> "Column[int]":
    return Column("study_id", Integer(), ForeignKey("studies.id", ondelete="CASCADE"), **options)


def _belongs_to(parent: str, own: tuple[str, ...], theirs: tuple[str, ...]) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(own, [f"{parent}.{name}" for name in theirs], ondelete="CASCADE")


def _of_trial() -> ForeignKeyConstraint:
    return _belongs_to("trials", ("study_id", "trial"), ("study_id", "number"))


def _of_epoch() -> ForeignKeyConstraint:
    return _belongs_to("epochs", EPOCH, ("study_id", "trial", "attempt", "number"))


def _studies() -> None:
    op.create_table(
        "studies",
        Column("id", Integer(), primary_key=True),
        Column("name", Text(), nullable=False),
        Column("model", Text(), nullable=False),
        Column("dataset", Text(), nullable=False),
        Column("objectives", Text(), nullable=False),
        Column("created_at", MOMENT, nullable=False),
        Column("seconds_run", Double(), nullable=False),
        Column("baseline", JSON, nullable=False),
        Column("spec", JSON, nullable=False),
        UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )


def _beside_a_study() -> None:
    op.create_table(
        "plugin_files",
        _study(primary_key=True, autoincrement=False),
        Column("path", Text(), primary_key=True),
        Column("digest", Text(), nullable=False),
        Column("source", Text(), nullable=False),
    )
    op.create_table(
        "leases",
        _study(primary_key=True, autoincrement=False),
        Column("host", Text(), nullable=False),
        Column("pid", Integer(), nullable=False),
        Column("process_started", Text(), nullable=False),
        Column("boot_id", Text(), nullable=False),
        Column("pid_namespace", Text(), nullable=False),
        Column("token", Text(), nullable=False),
        Column("since", MOMENT, nullable=False),
        Column("last_beat_at", MOMENT, nullable=False),
    )
    op.create_table(
        "environments",
        Column("id", Integer(), primary_key=True),
        _study(nullable=False),
        Column("digest", Text(), nullable=False),
        Column("first_seen_at", MOMENT, nullable=False),
        Column("facts", JSON, nullable=False),
    )
    op.create_index("environments_by_digest", "environments", ["study_id", "digest"], unique=True)


def _requests_of_a_study() -> None:
    op.create_table(
        "looks",
        Column("id", Integer(), primary_key=True),
        _study(),
        Column("checkpoint", Text(), nullable=False),
        Column("dataset", Text(), nullable=False),
        Column("split", Text(), nullable=False),
        Column("n", Integer(), nullable=False),
        Column("looked_at", MOMENT, nullable=False),
        Column("metrics", JSON, nullable=False),
    )
    op.create_index("ix_looks_study_id", "looks", ["study_id"])
    op.create_table(
        "requests",
        Column("id", Integer(), primary_key=True),
        _study(nullable=False),
        Column("kind", Text(), nullable=False),
        Column("asked_at", MOMENT, nullable=False),
        Column("taken_at", MOMENT),
        Column("payload", JSON, nullable=False),
    )
    op.create_index("ix_requests_study_id", "requests", ["study_id"])


def _trials() -> None:
    op.create_table(
        "trials",
        _study(primary_key=True, autoincrement=False),
        *_key("number"),
        Column("state", Text(), nullable=False),
        Column("epochs", Integer(), nullable=False),
        Column("kept_epoch", Integer()),
        Column("checkpoint", Text()),
        Column("created_at", MOMENT, nullable=False),
        Column("ended_at", MOMENT),
        Column("params", JSON, nullable=False),
        Column("verdict", JSON, nullable=False),
        Column("space", JSON, nullable=False),
        Column("sampler_state", JSON, nullable=False),
    )
    op.create_index("trials_by_state", "trials", ["study_id", "state"])
    op.create_table(
        "trial_values",
        *_key("study_id", "trial"),
        Column("name", Text(), primary_key=True),
        Column("value", Double()),
        _of_trial(),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "checkpoints",
        *_key("study_id", "trial"),
        Column("digest", Text(), primary_key=True),
        Column("epoch", Integer()),
        Column("bytes", BigInteger()),
        Column("created_at", MOMENT, nullable=False),
        _of_trial(),
    )


def _attempts() -> None:
    op.create_table(
        "attempts",
        *_key("study_id", "trial", "number"),
        Column("reason", Text()),
        Column("first_epoch", Integer()),
        Column("last_epoch", Integer()),
        Column("seconds", Double()),
        Column("pid", Integer()),
        Column("started_at", MOMENT, nullable=False),
        Column("ended_at", MOMENT),
        Column("environment_id", Integer(), ForeignKey("environments.id", ondelete="SET NULL")),
        Column("resumed_from", Integer()),
        Column("seconds_to_first_step", Double()),
        Column("log", Text()),
        Column("message", Text(), nullable=False),
        Column("traceback", Text(), nullable=False),
        _of_trial(),
    )


def _epochs() -> None:
    op.create_table(
        "epochs",
        *_key("study_id", "trial", "attempt", "number"),
        Column("seconds", Double(), nullable=False),
        Column("cpu_seconds", Double(), nullable=False),
        Column("recorded_at", MOMENT, nullable=False),
        _belongs_to("attempts", ("study_id", "trial", "attempt"), ("study_id", "trial", "number")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "metric_values",
        *_key(*EPOCH),
        Column("name", Text(), primary_key=True),
        Column("value", Double()),
        _of_epoch(),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "confusion_matrices",
        *_key(*EPOCH),
        Column("counts", JSON, nullable=False),
        _of_epoch(),
    )


def _views() -> None:
    """Create views with names instead of ids, for users at a SQL prompt."""
    op.execute(
        """
        CREATE VIEW trial_results AS
        SELECT studies.name AS study, trials.number AS trial, trials.state AS state,
               trial_values.name AS metric, trial_values.value AS value, trials.params AS params
        FROM trials
        JOIN studies ON studies.id = trials.study_id
        LEFT JOIN trial_values ON trial_values.study_id = trials.study_id AND trial_values.trial = trials.number
        """
    )
    op.execute(
        """
        CREATE VIEW epoch_results AS
        SELECT studies.name AS study, metric_values.trial AS trial, metric_values.attempt AS attempt,
               metric_values.epoch AS epoch, metric_values.name AS metric, metric_values.value AS value
        FROM metric_values
        JOIN studies ON studies.id = metric_values.study_id
        """
    )
