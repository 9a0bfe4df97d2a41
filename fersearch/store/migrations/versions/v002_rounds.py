"""Rounds of folds and repeats, and the process of an attempt."""

from alembic import op
from sqlalchemy import Boolean, Column, Integer, Text, false

revision = "2"
down_revision = "1"


def upgrade() -> None:
    """Add the columns; existing epochs belong to a first and only round."""
    op.add_column("epochs", Column("round", Integer(), nullable=False, server_default="1"))
    op.add_column("epochs", Column("ends_round", Boolean(), nullable=False, server_default=false()))
    op.add_column("attempts", Column("facts", Text(), nullable=False, server_default="{}"))
