"""The connection to SQLite or PostgreSQL: short transactions, and errors with a hint on what to do.

SQLite's write-ahead log needs shared memory, which a network file system does not provide; there a rollback journal is
used. `postgresql.py` has the pool, the detection of dead connections and the meaning of errors.
"""

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from fersearch.errors import NoDatabase, StorageURLError, StoreError, StoreFull, StoreUnavailable, UsageError
from fersearch.escaping import ENCODE, masked_url
from fersearch.store import postgresql
from fersearch.store.sqlite_file import SqliteFile
from fersearch.store.sqlite_journal import Place, SqliteJournal

BUSY_SECONDS = 30.0
"""Seconds that a transaction waits for another one to end."""
_NETWORK = (
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "ceph",
    "lustre",
    "beegfs",
    "gpfs",
    "afs",
    "glusterfs",
    "ncpfs",
)


class Database:
    """An open database. `notice` is a message to show to the user once, or empty.

    `file` is the file of SQLite, None for a server. Without `create` a missing file raises NoDatabase.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self._url = _parse(url)
        self.notice = ""
        self.file: SqliteFile | None = None
        if self.dialect == "sqlite":
            self._find(Path(self._url.database or ""), create)
        with self._explained():
            self.engine = self._sqlite() if self.dialect == "sqlite" else postgresql.open_engine(self._url)

    @property
    def url(self) -> str:
        """The URL without its password."""
        url = postgresql.without_password(self._url) if self.dialect == "postgresql" else self._url
        return url.render_as_string(hide_password=True)

    @property
    def address(self) -> str:
        """The URL by which another process can open the database, without a password, safe to store."""
        if self.dialect == "sqlite":
            return sqlite_address(Path(self._url.database or ""))
        return postgresql.without_password(self._url)._replace(password=None).render_as_string(hide_password=False)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._url.get_backend_name()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Begin a read-only transaction on one snapshot. StoreError when the database cannot be read."""
        self._check()
        with self._explained(), self.engine.connect() as connection:
            if self.dialect == "postgresql":
                postgresql.read_only(connection)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Begin a transaction that writes all or nothing. StoreError when the database cannot be written.

        After StoreUnavailable it is unknown whether it was committed: the server's answer may have been lost.
        """
        options = {"fersearch_writes": True}
        place = self._check()
        with self._explained(), self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
            self._check(place)
        self._check(place)  # rows that were committed to a file just moved away are written again

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        if self.file:
            self.file.closed()

    def _check(self, since: Place | None = None) -> Place | None:
        """Raise StoreUnavailable unless the database exists, at the place where it was `since`."""
        return self.file.check(since) if self.file else None

    def _find(self, path: Path, create: bool) -> None:
        """Create the file if it is missing and may be created; an unreadable one is reported on connection."""
        size = _size(path)
        if not create and not size:
            raise NoDatabase(str(path))
        if size is not None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = f"{_ELSEWHERE}, or another FERSEARCH_HOME"
            raise StoreError(f"cannot make the folder of database {path}: {error.strerror}", hint) from None
        with suppress(OSError):
            path.touch()

    def _sqlite(self) -> Engine:
        path = Path(self._url.database or "")
        network = is_network(kind := file_system(path.parent))
        if network:
            self.notice = (
                f"{path} is on a network file system ({kind}): SQLite uses a rollback journal there instead of WAL"
            )
        engine = create_engine(self._url, connect_args={"timeout": BUSY_SECONDS})
        self.file = SqliteFile(path, engine.dispose, SqliteJournal(path, engine))
        event.listen(engine, "do_connect", partial(_never_create, path))
        event.listen(engine, "connect", lambda connection, _: _prepare(connection, "delete" if network else "wal"))
        event.listen(engine, "begin", _begin)
        return engine

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            self._check()
            raise _kind(self.dialect, error)(*explain(self.url, error)) from error
        except UnicodeEncodeError as error:
            text = str(error.object)[:80]
            raise UsageError(f"'{text}' cannot be stored in a database", "give a name in UTF-8") from None


def _size(path: Path) -> float | None:
    """Return the size of a file in bytes; None if it is missing, infinity if it cannot be read."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return math.inf


def _kind(dialect: str, error: SQLAlchemyError) -> type[StoreError]:
    if isinstance(error, DBAPIError) and ("disk is full" in str(error.orig) or postgresql.is_full(error)):
        return StoreFull
    return StoreUnavailable if _is_unavailable(dialect, error) else StoreError


def _is_unavailable(dialect: str, error: SQLAlchemyError) -> bool:
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if dialect == "postgresql":
        return postgresql.is_unavailable(error)
    return "database is locked" in str(error.orig)


_ELSEWHERE = "give another one with --storage or FERSEARCH_STORAGE"
_GONE = "the study or the trial is not in the database: was it deleted meanwhile?"
_HINTS = {
    "file is not a database": "the file is not a database or is damaged: move it elsewhere, or " + _ELSEWHERE,
    "unable to open database file": "check that the path is a file and its folder may be written, or " + _ELSEWHERE,
    "readonly database": "check the permissions of the file and its folder, or " + _ELSEWHERE,
    "No space left on device": "free space on the server's disk, then try again",
    "disk is full": "free disk space, then continue with: fersearch study run NAME",
    "disk I/O error": "check the disk, then continue with: fersearch study run NAME",
    "database is locked": "another program keeps it locked: end that program, then try again",
    "FOREIGN KEY constraint failed": _GONE,
    "violates foreign key constraint": _GONE,
    "malformed": "the file is damaged: restore a copy, or " + _ELSEWHERE,
    "password": f"check the user and the password in the URL ({ENCODE}), or keep the password in ~/.pgpass",
    'role "': "check the user in the URL (postgresql://user@host/name)",
    'database "': "create the database first (createdb NAME), or check its name in the URL",
    "failed to resolve host": f"check the host in the URL (postgresql://user@host/name); {ENCODE}",
    "no pg_hba.conf entry": "allow this user and host with a line in the server's pg_hba.conf",
    "permission denied for schema": "allow the user to create tables: GRANT CREATE ON SCHEMA public TO the user",
    "permission denied": "grant the user access to fersearch's tables, or give another user in the URL",
    "has no equivalent in encoding": "create a database that can store every text: createdb --encoding UTF8 NAME",
    "invalid connection option": "check the options after the question mark in the URL",
    "too many clients": "raise the server's max_connections, or end programs that use it",
    "lock timeout": "another program keeps it locked: end that program, then try again",
    "read-only transaction": "this server is a read-only replica: give the primary server's URL",
}


def explain(url: str, error: SQLAlchemyError) -> tuple[str, str]:
    """Return the message and the hint of a database error."""
    cause = str(error.orig if isinstance(error, DBAPIError) else error).strip().partition("\n")[0]
    hint = next((hint for part, hint in _HINTS.items() if part in cause), "check that the database can be reached")
    return f"database {url}: {cause}", hint


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite URL; None for the URL of a server. StoreError if it is not a database URL."""
    parsed = _parse(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def sqlite_address(path: Path) -> str:
    """Return the URL of an SQLite file, with links resolved."""
    return f"sqlite:///{quote(str(path.resolve()))}"


def upsert(dialect: str, table: Table) -> Any:
    """Return an `insert` into the table that supports `on_conflict_do_update` and `on_conflict_do_nothing`."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    return sqlite_insert(table)


def _parse(text: str) -> URL:
    forms = f"write sqlite:////folder/file.db or postgresql://user@host/name; {ENCODE}"
    try:
        url = make_url(text)
        if "@" in (url.host or "") or (url.password is not None and "@" in (url.database or "")):
            raise StorageURLError(f"'{masked_url(text)}' holds more than one @", ENCODE)
        if url.get_backend_name() in ("postgresql", "postgres"):
            return url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() != "sqlite":
            raise StorageURLError(f"fersearch cannot keep studies in '{url.get_backend_name()}'", forms)
        if (url.database or ":memory:") == ":memory:" or "mode=memory" in text:
            raise StorageURLError("a database in memory would forget its studies", forms)
        return url.set(database=str(Path(url.database or "").expanduser().absolute()))
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise StorageURLError(f"'{masked_url(text)}' is not a database URL", forms) from None


def _never_create(path: Path, _dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> None:
    """Open the file only if it exists: SQLite would create an empty one in place of one that was moved away."""
    arguments[0], options["uri"] = f"file:{quote(str(path))}?mode=rw", True


def _prepare(connection: sqlite3.Connection, journal: str) -> None:
    connection.isolation_level = None  # transactions begin by `_begin`, not implicitly by Python's sqlite3
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA synchronous={'NORMAL' if journal == 'wal' else 'FULL'}")
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute(f"PRAGMA journal_mode={journal}")
        except sqlite3.OperationalError as error:
            # Unlike a transaction, a change of the journal mode does not wait for other connections.
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin(connection: Connection) -> None:
    """Acquire the write lock at once: a transaction that began by reading could not wait for it later."""
    writes = connection.get_execution_options().get("fersearch_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def file_system(path: Path, mountinfo: str | None = None) -> str:
    """Return the type of the file system of a path (`ext4`, `nfs4`, ...); empty if unknown.

    `mountinfo` is the text of /proc/self/mountinfo, read if not given.
    """
    try:
        text = Path("/proc/self/mountinfo").read_text() if mountinfo is None else mountinfo
    except OSError:
        return ""
    best, kind = -1, ""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        folder = Path(before.split()[4].encode().decode("unicode_escape"))
        # Of two mounts on one folder the later hides the earlier.
        if len(folder.parts) >= best and path.resolve().is_relative_to(folder):
            best, kind = len(folder.parts), after.split()[0]
    return kind


def is_network(kind: str) -> bool:
    """Return whether a file system of this type is a network file system."""
    return kind in _NETWORK or kind.startswith(("fuse.sshfs", "fuse.gluster"))
