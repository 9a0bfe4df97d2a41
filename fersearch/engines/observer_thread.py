"""An observer in a thread of its own, told through a bounded queue: it can neither break a study nor hold it up."""

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
"""How many events wait for an observer at most."""
ROOM_FOR_EPOCHS = 1_000
"""How many may wait before those of epochs are left out, so that starts and ends of trials still find room."""


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
        self.tell("study_started", study, self._options)

    def tell(self, method: str, *facts: Any) -> None:
        """Have a method called when its turn comes; leave the event out where too many wait."""
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
                self._notes.put(f"observer '{self._observer.name}' falls behind: it is not told everything")

    def end(self, state: StudyState) -> None:
        """Have the observer told that the run is over, as the last thing, whatever waits."""
        if not self._thread.is_alive():
            return
        self._make_room(2)
        self._events.put_nowait(("study_ended", (state,)))
        self._events.put_nowait(None)

    def join(self, seconds: float) -> None:
        """Wait until everything is told, and note what was not."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        if self._thread.is_alive():
            waiting = plural(max(0, self._events.qsize() - 1), "event")  # but for the None that ends the thread
            told = f"takes too long: it is left behind, with {waiting} that it has not heard of"
            self._notes.put(f"observer '{self._observer.name}' {told}")
        if self._dropped and not self._failed:
            told = f"was not told of {self._dropped} of {plural(self._total, 'event')}: it was too slow"
            self._notes.put(f"observer '{self._observer.name}' {told}")

    def drain_notes(self) -> list[str]:
        """Return what there is to say of the observer since the last call."""
        lines = []
        while not self._notes.empty():
            lines.append(self._notes.get())
        return lines

    def _make_room(self, places: int) -> None:
        """Leave out the oldest events until so many fit."""
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
            told = f"failed in {method} and is told nothing more: {' '.join(reason.split())}"
            self._notes.put(f"{title(self._observer)} {told}")
