"""Brings a database to the schema this version knows. One SELECT decides; Alembic is imported only for a change."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from fersearch.errors import NoDatabase, StoreError
from fersearch.store.engine import Database
from fersearch.store.tables import metadata

SCHEMA = 5
"""The newest revision in `migrations/versions`."""

VERSION_TABLE = "fersearch_schema"
_LOCK = 7_041_776_238_515  # any number that other programs of one PostgreSQL server do not use


def prepare(database: Database, *, create: bool = True) -> None:
    """Create the tables in an empty database, or bring older ones up to date; without `create` only the latter.

    Any number of processes may do so at once: the first does it, the others wait.

    Raises:
        NoDatabase: it has no tables, and may not get any.
        StoreError: it is no database, it is of a newer fersearch, or its tables are another program's.
    """
    version = version_of(database)
    if version == SCHEMA:
        return
    if version is None and not create:
        with database.read() as connection:
            _refuse_strangers(database.url, connection)
        raise NoDatabase(f"{database.url}: it holds no tables of fersearch")
    with database.write() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = _read_version(connection) if inspect(connection).has_table(VERSION_TABLE) else None
        if version is None:
            _refuse_strangers(database.url, connection)
        if version != SCHEMA:
            _migrate(connection)


def version_of(database: Database) -> int | None:
    """The schema of a database; None of an empty one. StoreError when it is of a newer fersearch."""
    with database.read() as connection:
        try:
            version = _read_version(connection)
        except DatabaseError as error:
            if "no such table" in str(error.orig) or "does not exist" in str(error.orig):
                return None
            raise
    if version is not None and version > SCHEMA:
        raise StoreError(
            f"database {database.url} is of a newer fersearch (schema {version}; this one knows {SCHEMA})",
            "upgrade fersearch, or give another database with --storage",
        )
    return version


def _read_version(connection: Connection) -> int | None:
    version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return None if version is None else int(version)


def _refuse_strangers(url: str, connection: Connection) -> None:
    taken = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if taken:
        raise StoreError(
            f"database {url} belongs to another program: it has a table '{taken[0]}'",
            "give another database with --storage or FERSEARCH_STORAGE",
        )


def _migrate(connection: Connection, revision: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
