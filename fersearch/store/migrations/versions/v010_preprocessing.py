"""Current names of preprocessing in studies, trials, prior trials and waiting requests."""

import json

from alembic import op
from sqlalchemy import ColumnClause, Connection, TableClause, column, or_, select, table, update

from fersearch.former_names import PREPROCESSING, with_current_names

revision = "10"
down_revision = "9"

COLUMNS = {
    "studies": (("id",), ("spec",)),
    "trials": (("study_id", "number"), ("params", "space", "sampler_state")),
    "prior_trials": (("study_id", "number"), ("params",)),
    "control": (("id",), ("payload",)),
}


def upgrade() -> None:
    """Rewrite the rows that hold a former name."""
    for name, (keys, texts) in COLUMNS.items():
        rows = table(name, *(column(each) for each in (*keys, *texts)))
        for text in texts:
            _rewrite(op.get_bind(), rows, keys, rows.c[text])


def _rewrite(connection: Connection, rows: TableClause, keys: tuple[str, ...], text: ColumnClause[str]) -> None:
    holding = or_(*(text.contains(f'"{former}"') for former in PREPROCESSING))
    for *values, stored in connection.execute(select(*(rows.c[key] for key in keys), text).where(holding)).all():
        row = [rows.c[key] == value for key, value in zip(keys, values, strict=True)]
        current = json.dumps(with_current_names(json.loads(stored)))
        connection.execute(update(rows).where(*row).values({text: current}))
