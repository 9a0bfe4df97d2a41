"""What other commands ask of a study's driver, fetched by a thread of its own: the driver never waits for it."""

import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from fersearch.errors import StoreError
from fersearch.store import studies
from fersearch.store.database import Database
from fersearch.store.records import Request

POLL_SECONDS = 2.0


class Mailbox:
    """The requests to one study. While the database is away none arrive, and none get lost."""

    def __init__(self, database: Database, study_id: int) -> None:
        self._database = database
        self._study_id = study_id
        self._lock = threading.Lock()
        self._arrived: list[Request] = []
        self._seen: set[int] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fersearch-mailbox", daemon=True)
        self._thread.start()

    def take(self) -> list[Request]:
        """The requests that arrived since the last call, oldest first."""
        with self._lock:
            taken, self._arrived = self._arrived, []
        return taken

    def close(self) -> None:
        """End the thread; one that hangs on a dead connection ends with the process."""
        self._closed.set()
        self._thread.join(POLL_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            with suppress(StoreError):  # the writer tells of an outage, and ends the study if it must
                self._fetch()
            self._closed.wait(POLL_SECONDS)

    def _fetch(self) -> None:
        with self._database.read() as connection:
            found = studies.pending(connection, self._study_id)
        with self._lock:
            self._arrived += [request for request in found if request.id not in self._seen]
        # Seen before they are marked: if the answer to that gets lost, they are neither lost nor handed out again.
        self._seen |= {request.id for request in found}
        if found:
            with self._database.write() as connection:
                studies.take(connection, found)
