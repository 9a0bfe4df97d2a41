"""A check that the file of an open SQLite database is still the one at its path.

SQLite itself keeps reading and writing a file that was moved or removed, and its writes are lost.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from fersearch.errors import StoreUnavailable
from fersearch.store.sqlite_journal import Place, SqliteJournal

ANSWER_SECONDS = 1.0
"""Seconds that another file at the path may take to be read."""


class SqliteFile:
    """The file of an open database.

    Until `record_place` is called any file at the path is accepted. From then on `check` accepts the same file and a
    copy of it that has the same id and, for each study that this process drives, no older rows. `close_idle` closes
    idle connections; SQLite leaves a file that has moved, and those beside it, unchanged. `journal` has
    the files beside it.
    """

    def __init__(self, path: Path, close_idle: Callable[[], None], journal: SqliteJournal) -> None:
        self.path = path
        self._close_idle = close_idle
        self._journal = journal
        self._lock = threading.RLock()
        self._place: Place | None = None
        self._id = ""
        self._away = ""
        self._driven: dict[int, tuple[str, int]] = {}

    def record_place(self, place: Place | None, identity: str) -> None:
        """Record the place of the database's file and the random id in it."""
        self._place, self._id = place, identity

    def expect(self, study_id: int, token: str, written: int) -> None:
        """Accept only files that have a study's lease with this token and at least `written` transactions."""
        self._driven[study_id] = token, written

    def forget(self, study_id: int) -> None:
        """Remove the expectation for a study."""
        self._driven.pop(study_id, None)

    def at(self) -> Place | None:
        """Return the place of the file at the path; None if there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def check(self, since: Place | None = None) -> Place | None:
        """Return the place of the database, None if it is not known yet.

        Raises:
            StoreUnavailable: it is not at its path, no longer where it was `since`, or its log was removed.
        """
        if self._place is None:
            return None
        place = self.at()
        if place != self._place or self._away:
            with self._lock:
                self._reopen(place)
        if since not in (None, place):
            raise StoreUnavailable(f"database sqlite:///{self.path}: the file was replaced while it was written to")
        with self._lock:
            self._journal.check()
            if since is not None:
                self._journal.record_open()
        return place

    def repaired(self) -> list[str]:
        """Return the messages about repairs since the last call."""
        with self._lock:
            messages, self._journal.repaired = self._journal.repaired, []
        return messages

    def closed(self) -> None:
        """Record that every connection was closed; SQLite then removes the files beside the database."""
        with self._lock:
            self._journal.forget()

    def _reopen(self, place: Place | None) -> None:
        """Reopen the file at the path if it is accepted; else close the open connections, raise StoreUnavailable."""
        problem = self._problem() if place else "the file is gone"
        if not (problem and self._away):
            self._close_idle()
            self._journal.forget()
        self._away = problem
        if problem:
            raise StoreUnavailable(
                f"database sqlite:///{self.path}: {problem}", "put the file back, or a copy of it that is no older"
            )
        self._place = place

    def _problem(self) -> str:
        """Return why the file at the path cannot be used, empty if it can; the file is only read."""
        try:
            with closing(
                sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True, timeout=ANSWER_SECONDS)
            ) as connection:
                if connection.execute("SELECT id FROM identity").fetchone() != (self._id,):
                    return "another database is in its place"
                older = any(not self._is_in(connection, *each) for each in self._driven.items())
                return "an older copy is in its place" if older else ""
        except sqlite3.Error:
            return "another file is in its place"

    @staticmethod
    def _is_in(connection: sqlite3.Connection, study_id: int, expected: tuple[str, int]) -> bool:
        query = "SELECT token, written FROM leases WHERE study_id = ?"
        lease = connection.execute(query, (study_id,)).fetchone()
        return lease is not None and lease[0] == expected[0] and lease[1] >= expected[1]
