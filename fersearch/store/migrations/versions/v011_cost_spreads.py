"""How much costs differed between equal trainings when a study was created."""

from alembic import op
from sqlalchemy import Column, Text

revision = "11"
down_revision = "10"


def upgrade() -> None:
    """Add the column."""
    op.add_column("studies", Column("cost_spreads", Text(), nullable=False, server_default="{}"))
