"""Migration of a database to the schema of this version, and inspection of one without changing it."""

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.exc import DatabaseError

from fersearch.errors import NoDatabase, StoreError
from fersearch.store.database import Database, file_system, is_network, sqlite_path
from fersearch.store.tables import Moment, checkpoints, metadata, now, studies, trials
from fersearch.store.tables import identity as identities
from fersearch.trial import TrialState

SCHEMA = 11
"""The newest revision in `migrations/versions`."""
VERSION_TABLE = "fersearch_schema"
_LOCK = 7_041_776_238_515  # an arbitrary number that no other program of the same PostgreSQL server uses


def prepare(database: Database, *, create: bool = True) -> None:
    """Create the tables in an empty database if `create` is set, or migrate older ones.

    Any number of processes may do so at once: the first migrates, the others wait.

    Raises:
        NoDatabase: it has no tables, and `create` is not set.
        StoreError: it is not a database, it is of a newer fersearch, or its tables belong to another program.
    """
    version = version_of(database)
    if version == SCHEMA:
        return
    if version is None and not create:
        with database.read() as connection:
            _refuse_foreign_tables(database.url, connection)
        raise NoDatabase(f"{database.url}: it holds no tables of fersearch")
    with database.write() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        version = _read_version(connection) if inspect(connection).has_table(VERSION_TABLE) else None
        if version is None:
            _refuse_foreign_tables(database.url, connection)
        if version != SCHEMA:
            _migrate(connection)


def version_of(database: Database) -> int | None:
    """Return the schema version of a database; None if it is empty. StoreError if it is of a newer fersearch."""
    with database.read() as connection:
        try:
            version = _read_version(connection)
        except DatabaseError as error:
            if "no such table" in str(error.orig) or "does not exist" in str(error.orig):
                return None
            raise
    if version is not None and version > SCHEMA:
        raise StoreError(
            f"database {database.url} was made by a newer fersearch (schema {version}; this one knows {SCHEMA})",
            "upgrade fersearch, or give another database with --storage",
        )
    return version


def _read_version(connection: Connection) -> int | None:
    version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return None if version is None else int(version)


def _refuse_foreign_tables(url: str, connection: Connection) -> None:
    foreign = sorted(set(inspect(connection).get_table_names()) & set(metadata.tables))
    if foreign:
        raise StoreError(
            f"database {url} belongs to another program: it has a table '{foreign[0]}'",
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


@dataclass(frozen=True)
class Checkup:
    """The condition of a database.

    `path` is the file of SQLite, None for a server; `schema` is its version, None without tables, and `newest` the one
    of this fersearch. `checkpoints` has a study and a trial for each digest of a checkpoint, `unfinished` the trials
    that may still run for each study's random id. `identity` is the random id of the database, empty in an older
    schema. `ahead` is the number of seconds by which a server's clock is ahead of this machine's.
    """

    url: str
    path: Path | None
    schema: int | None = None
    newest: int = SCHEMA
    network: str = ""
    seconds: float = 0.0
    ahead: float | None = None
    checkpoints: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    identity: str = ""
    unfinished: Mapping[str, frozenset[int]] = field(default_factory=dict)


def check_up(url: str) -> Checkup:
    """Inspect the database at a URL without changing it.

    Raises:
        StoreError: the URL is invalid, the database cannot be reached, or it is of a newer fersearch.
    """
    path = sqlite_path(url)
    kind = file_system(_existing(path.parent)) if path else ""
    network = kind if is_network(kind) else ""
    try:
        opened = Database(url, create=False)
    except NoDatabase:
        return Checkup(f"sqlite:///{path}", path, network=network)
    with closing(opened) as database:
        started = time.monotonic()
        schema = version_of(database)
        seconds = time.monotonic() - started
        with database.read() as connection:
            ahead = None if path else _ahead(connection)
            known = _contents(connection) if schema == SCHEMA else {}
        return Checkup(database.url, path, schema, network=network, seconds=seconds, ahead=ahead, **known)


def _ahead(connection: Connection) -> float:
    before = now()
    theirs = connection.execute(select(func.clock_timestamp(type_=Moment))).scalar_one()
    return float((theirs - before - (now() - before) / 2).total_seconds())


def _contents(connection: Connection) -> dict[str, Any]:
    identity = connection.execute(select(identities.c.id)).scalar_one()
    return {"identity": identity, "checkpoints": _checkpoints(connection), "unfinished": _unfinished(connection)}


def _unfinished(connection: Connection) -> dict[str, frozenset[int]]:
    running = trials.c.state.in_([state.value for state in TrialState if not state.ended])
    own = (trials.c.study_id == studies.c.id) & running
    unfinished: dict[str, set[int]] = defaultdict(set)
    for uid, number in connection.execute(select(studies.c.uid, trials.c.number).outerjoin(trials, own)):
        unfinished[uid] |= set() if number is None else {number}
    return {uid: frozenset(numbers) for uid, numbers in unfinished.items()}


def _checkpoints(connection: Connection) -> dict[str, tuple[str, int]]:
    query = select(checkpoints.c.digest, studies.c.name, checkpoints.c.trial)
    rows = connection.execute(query.join(studies, studies.c.id == checkpoints.c.study_id))
    return {digest: (name, trial) for digest, name, trial in rows}


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
