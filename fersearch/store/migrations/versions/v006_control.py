"""A table of requests of other commands to a study's driver, in place of one that was never used.

A study stores whether its last run left nothing to try.
"""

from alembic import op
from sqlalchemy import Boolean, Column, DateTime, ForeignKey, Integer, Text, false

revision = "6"
down_revision = "5"


def upgrade() -> None:
    """Replace the table of requests, which is empty, and add the column."""
    op.drop_table("requests")
    op.create_table(
        "control",
        Column("id", Integer(), primary_key=True),
        Column("study_id", Integer(), ForeignKey("studies.id", ondelete="CASCADE"), nullable=False),
        Column("kind", Text(), nullable=False),
        Column("issued_at", DateTime(timezone=True), nullable=False),
        Column("taken_at", DateTime(timezone=True)),
        Column("payload", Text(), nullable=False),
    )
    op.create_index("ix_control_study_id", "control", ["study_id"])
    op.add_column("studies", Column("finished", Boolean(), nullable=False, server_default=false()))
