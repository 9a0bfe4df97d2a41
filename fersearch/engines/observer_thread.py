"""An observer in a thread of its own, fed by a bounded queue: it can neither break nor delay a study."""

import copy
from collections.abc import Mapping
from queue import Empty, Full, Queue, SimpleQueue
from threading import Thread
from typing import Any

from fersearch.blame import title
from fersearch.errors import FersearchError
from fersearch.formatting import plural
from fersearch.observer import ObservedStudy, StudyObserver
from fersearch.study import StudyState

ROOM = 2_000
"""Most events in an observer's queue."""
ROOM_FOR_EPOCHS = 1_000
"""Queued events from which those of epochs are dropped, so that starts and ends of trials still find room."""


class ObserverThread:
    """An observer and the thread in which it is called; all methods are for the driver's main thread."""

    def __init__(self, observer: StudyObserver, options: Mapping[str, str]) -> None:
        self._observer, self._options = observer, options
        self._events: Queue[tuple[str, tuple[Any, ...]] | None] = Queue(ROOM)
        self._notes: SimpleQueue[str] = SimpleQueue()
        self._thread = Thread(target=self._work, daemon=True, name=f"observer {observer.name}")
        self._total = self._dropped = 0
        self._failed = False

    def begin(self, study: ObservedStudy) -> None:
        """Start the thread."""
        self._thread.start()
        self.enqueue("study_started", study, self._options)

    def enqueue(self, method: str, *facts: Any) -> None:
        """Queue a call of a method of the observer; drop it if too many are queued."""
        if self._failed:
            return
        self._total += 1
        try:
            if method == "epoch_ended" and self._events.qsize() >= ROOM_FOR_EPOCHS:
                raise Full
            self._events.put_nowait((method, facts))
        except Full:
            self._dropped += 1
            if self._dropped == 1:
                self._notes.put(f"observer '{self._observer.name}' falls behind: some events are dropped")

    def end(self, state: StudyState) -> None:
        """Queue the call for the end of the run as the last one, dropping the oldest events if there is no room."""
        if not self._thread.is_alive():
            return
        self._make_room(2)
        self._events.put_nowait(("study_ended", (state,)))
        self._events.put_nowait(None)

    def join(self, seconds: float) -> None:
        """Wait for the thread to end, at most `seconds`, and note events that the observer did not get."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        if self._thread.is_alive():
            waiting = plural(max(0, self._events.qsize() - 1), "event")  # without the None that ends the thread
            problem = f"takes too long: it is abandoned with {waiting} undelivered"
            self._notes.put(f"observer '{self._observer.name}' {problem}")
        if self._dropped and not self._failed:
            problem = f"missed {self._dropped} of {plural(self._total, 'event')}: it was too slow"
            self._notes.put(f"observer '{self._observer.name}' {problem}")

    def drain_notes(self) -> list[str]:
        """Return the notes on the observer since the last call."""
        lines = []
        while not self._notes.empty():
            lines.append(self._notes.get())
        return lines

    def _make_room(self, places: int) -> None:
        """Drop the oldest events until `places` more fit."""
        while self._events.qsize() > ROOM - places:
            try:
                self._events.get_nowait()
                self._dropped += 1
            except Empty:
                return

    def _work(self) -> None:
        method = "deepcopy"
        try:
            observer = copy.deepcopy(self._observer)
            while (event := self._events.get()) is not None:
                method, facts = event
                getattr(observer, method)(*facts)
        except (Exception, SystemExit) as error:
            self._failed = True
            reason = error.message if isinstance(error, FersearchError) else f"{type(error).__name__}: {error}"
            problem = f"failed in {method} and receives no more events: {' '.join(reason.split())}"
            self._notes.put(f"{title(self._observer)} {problem}")
