"""The reason why a study ended before its budget was used up."""

from alembic import op
from sqlalchemy import Column, Text

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """Add the column."""
    op.add_column("studies", Column("ending", Text(), nullable=False, server_default=""))
