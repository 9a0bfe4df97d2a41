"""Requests of other commands to a study's driver, read by a thread so that the driver never waits for it."""

import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection, delete, insert, select, update

from fersearch.errors import StoreError
from fersearch.store.database import Database
from fersearch.store.records import Request
from fersearch.store.tables import clock, control, now, studies

POLL_SECONDS = 2.0
STOP, PAUSE, RUN, SLOTS, ENQUEUE = "stop", "pause", "run", "slots", "enqueue"
"""Kinds of requests: stop; stop until the study is resumed; be run by a service, in the order of requests; use only
some of the slots; try a configuration next, which remains stored until it is a trial."""
STATES = (STOP, PAUSE, SLOTS)
"""The requests that a later run does not inherit."""


class Control:
    """The requests to one study since its run began; none is lost while the database is unavailable."""

    def __init__(self, database: Database, study_id: int) -> None:
        self._database = database
        self._study_id = study_id
        self._lock, self._fetching = threading.Lock(), threading.Lock()
        self._arrived: list[Request] = []
        self._seen: set[int] = set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fersearch-control", daemon=True)
        self._thread.start()

    def take(self) -> list[Request]:
        """Return the requests that arrived since the last call, oldest first."""
        with self._lock:
            requests, self._arrived = self._arrived, []
        return requests

    def close(self) -> None:
        """End the thread; if it hangs on a dead connection, it ends with the process."""
        self._closed.set()
        self._thread.join(POLL_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            with suppress(StoreError):  # the writer reports outages, and ends the study where necessary
                self._fetch()
            self._closed.wait(POLL_SECONDS)

    def _fetch(self) -> None:
        with self._fetching:
            with self._database.read() as connection:
                requests = _pending(connection, self._study_id)
            # A database may reuse the number of a removed request.
            self._seen &= {request.id for request in requests}
            with self._lock:
                self._arrived += [request for request in requests if request.id not in self._seen]
            # Counted as seen before they are marked, so that a lost answer neither loses nor repeats a request.
            self._seen |= {request.id for request in requests}
            if requests:
                with self._database.write() as connection:
                    _mark_taken(connection, requests)
            self._seen.clear()


def add_request(connection: Connection, study_id: int, kind: str, payload: Mapping[str, Any]) -> None:
    """Store a request for the study's driver."""
    row = {"study_id": study_id, "kind": kind, "payload": dict(payload), "issued_at": clock(connection)}
    connection.execute(insert(control).values(row))


def clear_state(connection: Connection, study_id: int, resume: bool = True) -> None:
    """Clear the requests for a state of the study, and its mark as finished, for a new run.

    Without `resume` a pause is kept.
    """
    withdraw(connection, study_id, *(kind for kind in STATES if resume or kind != PAUSE))
    connection.execute(update(studies).where(studies.c.id == study_id).values(finished=False, ending=""))


def withdraw(connection: Connection, study_id: int, *kinds: str) -> bool:
    """Remove the requests of some kinds to a study; return whether there were any."""
    own = (control.c.study_id == study_id, control.c.kind.in_(kinds))
    return connection.execute(delete(control).where(*own)).rowcount > 0


def requested(connection: Connection) -> dict[int, set[str]]:
    """Return the kinds of the requests to each study, by its id."""
    kinds: dict[int, set[str]] = defaultdict(set)
    for study_id, kind in connection.execute(select(control.c.study_id, control.c.kind).distinct()):
        kinds[study_id].add(kind)
    return kinds


def _pending(connection: Connection, study_id: int) -> list[Request]:
    c = control.c
    own = (c.study_id == study_id, c.taken_at.is_(None), c.kind != RUN)
    query = select(c.id, c.kind, c.payload, c.issued_at).where(*own)
    return [Request(*row) for row in connection.execute(query.order_by(c.id))]


def _mark_taken(connection: Connection, requests: list[Request]) -> None:
    ids = [request.id for request in requests]
    connection.execute(update(control).where(control.c.id.in_(ids)).values(taken_at=now()))
