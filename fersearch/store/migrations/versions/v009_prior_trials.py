"""Trials of other studies that a study's sampler starts with."""

from alembic import op
from sqlalchemy import Column, ForeignKey, Integer, Text

revision = "9"
down_revision = "8"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "prior_trials",
        Column(
            "study_id",
            Integer(),
            ForeignKey("studies.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        Column("number", Integer(), primary_key=True, autoincrement=False),
        Column("params", Text(), nullable=False),
        Column("metrics", Text(), nullable=False),
    )
