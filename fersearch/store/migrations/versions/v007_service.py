"""Events of studies; tokens and process of a service, and the owners among which it shares its slots."""

from alembic import op
from sqlalchemy import Boolean, Column, DateTime, Double, ForeignKey, Integer, Text, false

revision = "7"
down_revision = "6"


def upgrade() -> None:
    """Create the tables, and give studies an owner and a revision."""
    op.create_table(
        "events",
        Column(
            "study_id",
            Integer(),
            ForeignKey("studies.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        Column("id", Integer(), primary_key=True, autoincrement=False),
        Column("happened_at", DateTime(timezone=True), nullable=False),
        Column("kind", Text(), nullable=False),
        Column("trial", Integer()),
        Column("data", Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "tokens",
        Column("id", Integer(), primary_key=True),
        Column("digest", Text(), nullable=False, unique=True),
        Column("name", Text(), nullable=False),
        Column("role", Text(), nullable=False),
        Column("owner", Text(), nullable=False),
        Column("created_at", DateTime(timezone=True), nullable=False),
        Column("expires_at", DateTime(timezone=True)),
        Column("parent", Integer(), ForeignKey("tokens.id", ondelete="CASCADE")),
        Column("session", Boolean(), nullable=False, server_default=false()),
    )
    op.create_table(
        "owners",
        Column("name", Text(), primary_key=True),
        Column("weight", Double(), nullable=False),
        Column("max_slots", Integer()),
    )
    op.create_table(
        "services",
        Column("id", Integer(), primary_key=True, autoincrement=False),
        Column("address", Text(), nullable=False),
        Column("host", Text(), nullable=False),
        Column("pid", Integer(), nullable=False),
        Column("process_started", Text(), nullable=False),
        Column("boot_id", Text(), nullable=False),
        Column("pid_namespace", Text(), nullable=False),
        Column("token", Text(), nullable=False),
        Column("last_beat_at", DateTime(timezone=True), nullable=False),
    )
    op.add_column("studies", Column("owner", Text(), nullable=False, server_default=""))
    op.add_column("studies", Column("revision", Integer(), nullable=False, server_default="0"))
