"""Random ids of the database and of each study, and the identity of each study's data.

A lease counts the transactions of its holder.
"""

from uuid import uuid4

from alembic import op
from sqlalchemy import Column, Integer, Text, column, insert, select, table, update

revision = "5"
down_revision = "4"

STUDIES = table("studies", column("id"), column("uid"))
IDENTITY = table("identity", column("id"))


def upgrade() -> None:
    """Add the columns and set the ids; the data of existing trials stays unknown."""
    op.add_column("studies", Column("uid", Text(), nullable=False, server_default=""))
    op.add_column("studies", Column("data", Text(), nullable=False, server_default="{}"))
    op.add_column("trials", Column("data_digest", Text(), nullable=False, server_default=""))
    op.add_column("leases", Column("written", Integer(), nullable=False, server_default="0"))
    op.create_table("identity", Column("id", Text(), primary_key=True))
    connection = op.get_bind()
    for number in connection.execute(select(STUDIES.c.id)).scalars().all():
        connection.execute(update(STUDIES).where(STUDIES.c.id == number).values(uid=uuid4().hex))
    connection.execute(insert(IDENTITY).values(id=uuid4().hex))
    op.create_index("studies_by_uid", "studies", ["uid"], unique=True)
