"""A check that the write-ahead log of an open SQLite database still exists, and its repair.

SQLite keeps writing to a log that was removed, and other processes do not see it: rows committed to it alone are lost
when the process is killed.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, PoolProxiedConnection, QueuePool

from fersearch.errors import StoreUnavailable

Place = tuple[int, int]
"""Device and inode."""

LOG, INDEX = "-wal", "-shm"


class SqliteJournal:
    """The files `-wal` and `-shm` beside a database, while an engine's connections have them open.

    `repaired` collects messages for users about their loss and repair.
    """

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path, self._engine = path, engine
        self.repaired: list[str] = []
        self._open: dict[str, Place] = {}
        self._last: PoolProxiedConnection | None = None

    def record_open(self) -> None:
        """Record the files beside the database as the open ones; called inside a transaction."""
        if not self._open:
            self._open = {end: place for end in (LOG, INDEX) if (place := self._at(end))}

    def forget(self) -> None:
        """Clear the recorded files, after the connections were closed; new ones create their own."""
        if self._last is not None:
            self._last.close()
        self._open, self._last = {}, None

    def check(self) -> None:
        """Raise StoreUnavailable unless the files are there or could be restored.

        If one is missing, the rows in the open connections' log are first written into the database and the
        connections are closed, so that the next ones create new files. That needs all other processes to have closed
        the database.

        Raises:
            StoreUnavailable: one is missing, and could not be restored yet.
        """
        other = [end for end, place in self._open.items() if self._at(end) != place]
        if not other:
            return
        name = f"{self._path.name}{other[0]}"
        message = f"database sqlite:///{self._path}: {name} was removed beside it"
        if any(self._is_in_use(end) for end in other):
            raise StoreUnavailable(
                f"{message} and another one made",
                "end all programs that use the database, then keep its three files together",
            )
        if self._repair():
            self.forget()
            self.repaired.append(f"{message}; its content was restored, and nothing is lost: do not remove such files")
            return
        raise StoreUnavailable(message, "end other programs that have the database open; its rows are restored then")

    def _repair(self) -> bool:
        """Write all rows of the log into the database and end the log; needs to be the only open connection."""
        if self._last is None:
            if not (isinstance(self._engine.pool, QueuePool) and self._engine.pool.checkedin()):
                return False
            self._last = self._engine.raw_connection()
            self._last.detach()
            self._engine.dispose()
        try:
            with closing(self._last.cursor()) as cursor:
                cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
                cursor.execute("PRAGMA journal_mode=DELETE")  # succeeds only if no other connection is open
                return cursor.fetchone() == ("delete",)
        except sqlite3.Error:
            return False

    def _is_in_use(self, end: str) -> bool:
        """Return whether another process may have written to a new file in place of a removed one."""
        try:
            return self._path_of(end).stat().st_size > 0
        except OSError:
            return False

    def _at(self, end: str) -> Place | None:
        try:
            status = self._path_of(end).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _path_of(self, end: str) -> Path:
        return self._path.with_name(f"{self._path.name}{end}")
