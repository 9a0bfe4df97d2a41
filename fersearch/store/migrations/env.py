"""The script that Alembic runs: it applies the changes inside the caller's transaction."""

from alembic import context

from fersearch.store.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
