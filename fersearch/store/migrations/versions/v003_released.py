"""Under which keep policy a trial's checkpoint was given up."""

from alembic import op
from sqlalchemy import Column, Text

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the column; of what was recorded before nothing was given up."""
    op.add_column("trials", Column("released", Text(), nullable=False, server_default=""))
