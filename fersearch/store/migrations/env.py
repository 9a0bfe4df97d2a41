"""What Alembic runs: the changes, inside the transaction that the caller began and ends."""

from alembic import context

from fersearch.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
