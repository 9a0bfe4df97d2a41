"""Stream the events of all studies to listeners, as drivers on any host write them to the database."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from fersearch.errors import StoreError
from fersearch.service.problems import ProblemError
from fersearch.store import Store
from fersearch.store.events import MOST, StoredEvent

POLL_SECONDS = 0.5
WAITING = 10_000
"""Most events that a listener may lag behind before it is disconnected, to reconnect with its cursor."""

Cursor = dict[int, int]
log = logging.getLogger("fersearch.service")


def parse_cursor(text: str | None) -> Cursor | None:
    """Parse `STUDY.EVENT-STUDY.EVENT...`, the ids of studies and of the last event seen in each; None without one.

    Raises:
        ProblemError: 422 for anything else.
    """
    if not text:
        return None
    try:
        pairs = [part.split(".") for part in text.split("-")]
        return {int(study): int(event) for study, event in pairs}
    except ValueError:
        raise ProblemError(422, f"'{text[:40]}' is not a cursor", "send the id of an event, or none") from None


def format_cursor(cursor: Mapping[int, int]) -> str:
    """Format a cursor for `parse_cursor`."""
    return "-".join(f"{study}.{event}" for study, event in sorted(cursor.items()))


class EventStream:
    """Reads new events while there are listeners, in one thread for all of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[asyncio.Queue[StoredEvent | None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = threading.Event()
        self._has_listener = threading.Event()
        self._following = threading.Event()  # the position of the newest event is known: all later ones are delivered
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="fersearch-events", daemon=True)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the thread, for listeners of an event loop."""
        self._loop = loop
        self._thread.start()

    def close(self) -> None:
        """Stop the thread, and end every listener."""
        self._closed.set()
        self._has_listener.set()
        self._following.set()
        for queue in list(self._listeners):
            with suppress(asyncio.QueueFull):
                queue.put_nowait(None)

    @property
    def listeners(self) -> int:
        """Number of listeners."""
        return len(self._listeners)

    async def listen(self, cursor: Cursor | None) -> AsyncIterator[tuple[str, StoredEvent]]:
        """Yield each event after a cursor (None: from now on), after the text of the cursor past it.

        A study that the cursor does not contain began later, so all its stored events are yielded.
        """
        queue: asyncio.Queue[StoredEvent | None] = asyncio.Queue(WAITING)
        with self._lock:
            self._listeners.add(queue)
        self._has_listener.set()
        try:
            await asyncio.to_thread(self._following.wait)
            last = await asyncio.to_thread(self._store.last_events)
            seen = dict(last) if cursor is None else {study: cursor.get(study, 0) for study in last}
            async for event in self._missed(seen):
                yield format_cursor(seen), event
            while (new := await queue.get()) is not None:
                if new.id > seen.get(new.study_id, 0):
                    seen[new.study_id] = new.id
                    yield format_cursor(seen), new
        finally:
            with self._lock:
                self._listeners.discard(queue)

    async def _missed(self, seen: Cursor) -> AsyncIterator[StoredEvent]:
        """Yield the events from before this listener started, and advance its cursor."""
        while True:
            events = await asyncio.to_thread(self._store.events_after, dict(seen))
            for event in events:
                seen[event.study_id] = event.id
                yield event
            if len(events) < MOST:
                return

    def _run(self) -> None:
        """Read new events while there are listeners; an outage of the database only delays them."""
        cursor: Cursor | None = None
        while not self._closed.is_set():
            if self._is_idle():
                cursor = None
                self._has_listener.wait()
                self._has_listener.clear()
                continue
            try:
                cursor = self._read(cursor)
                self._following.set()
            except StoreError as error:
                log.warning("events cannot be read: %s", error.message)
            self._closed.wait(POLL_SECONDS)

    def _is_idle(self) -> bool:
        """Return whether there are no listeners; a new one then waits until reading has resumed."""
        with self._lock:
            if not self._listeners and not self._closed.is_set():
                self._following.clear()
            return not self._listeners

    def _read(self, cursor: Cursor | None) -> Cursor:
        """Deliver the events after a cursor; without one only find the newest. Return the new cursor."""
        last = self._store.last_events()
        if cursor is None:
            return last
        new = {study: cursor.get(study, 0) for study, event in last.items() if event > cursor.get(study, 0)}
        if new:
            events = self._store.events_after(new)
            for event in events:
                cursor[event.study_id] = event.id
            self._hand_out(events)
        return cursor

    def _hand_out(self, events: list[StoredEvent]) -> None:
        assert self._loop is not None
        with suppress(RuntimeError):  # the loop is closed: there are no listeners any more
            self._loop.call_soon_threadsafe(self._deliver, events)

    def _deliver(self, events: list[StoredEvent]) -> None:
        for queue in list(self._listeners):
            if queue.qsize() + len(events) >= WAITING:
                with self._lock:
                    self._listeners.discard(queue)
                queue.put_nowait(None)
                continue
            for event in events:
                queue.put_nowait(event)
