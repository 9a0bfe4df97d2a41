"""Metrics and confusion matrices without a foreign key to their epoch; a trigger removes them with it.

They are written in the transaction that writes the epoch. Checking each of some twenty rows again took two fifths of
PostgreSQL's time for it.
"""

from typing import Any

from alembic import op
from sqlalchemy import Column, Double, Integer, Text

revision = "4"
down_revision = "3"

EPOCH = ("study_id", "trial", "attempt", "epoch")
EPOCH_RESULTS = """
CREATE VIEW epoch_results AS
SELECT studies.name AS study, metric_values.trial AS trial, metric_values.attempt AS attempt,
       metric_values.epoch AS epoch, metric_values.name AS metric, metric_values.value AS value
FROM metric_values
JOIN studies ON studies.id = metric_values.study_id
"""


FORGET = "\n".join(
    f"DELETE FROM {table} WHERE (study_id, trial, attempt, epoch) = (OLD.study_id, OLD.trial, OLD.attempt, OLD.number);"
    for table in ("metric_values", "confusion_matrices")
)
FUNCTION = f"CREATE FUNCTION forget_epoch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {FORGET} RETURN NULL; END $$"
TRIGGER = "CREATE TRIGGER epoch_forgotten AFTER DELETE ON epochs FOR EACH ROW"


def upgrade() -> None:
    """Drop the keys and create the trigger; SQLite can only do that by new tables."""
    if op.get_context().dialect.name == "postgresql":
        for table in ("metric_values", "confusion_matrices"):
            op.drop_constraint(f"{table}_study_id_trial_attempt_epoch_fkey", table)
        op.execute(FUNCTION)
        op.execute(f"{TRIGGER} EXECUTE FUNCTION forget_epoch()")
        return
    op.execute("DROP VIEW epoch_results")
    name = Column("name", Text(), primary_key=True)
    _anew("metric_values", name, Column("value", Double()), sqlite_with_rowid=False)
    _anew("confusion_matrices", Column("counts", Text(), nullable=False))
    op.execute(EPOCH_RESULTS)
    op.execute(f"{TRIGGER} BEGIN {FORGET} END")


def _anew(table: str, *columns: "Column[Any]", **options: Any) -> None:
    key = [Column(name, Integer(), primary_key=True, autoincrement=False) for name in EPOCH]
    op.create_table(f"{table}_anew", *key, *columns, **options)
    op.execute(f"INSERT INTO {table}_anew SELECT * FROM {table}")
    op.drop_table(table)
    op.rename_table(f"{table}_anew", table)
