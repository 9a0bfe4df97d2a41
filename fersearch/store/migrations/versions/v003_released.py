"""The keep policy under which a trial's checkpoint was released."""

from alembic import op
from sqlalchemy import Column, Text

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Add the column; no existing checkpoint counts as released."""
    op.add_column("trials", Column("released", Text(), nullable=False, server_default=""))
