"""Runs the studies of the queue: starts their drivers, shares the slots among them, and lets them save and leave."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence

from fersearch.context import drain_notices
from fersearch.errors import FersearchError, StudyBusy
from fersearch.service import shares
from fersearch.service.drivers import DriverProcess
from fersearch.service.settings import ServiceSettings
from fersearch.service.shares import Demand, Share
from fersearch.store import Lease, Store
from fersearch.store.queue import Queued
from fersearch.store.service_lease import ServiceLease

TICK_SECONDS = 1.0
STOPPING_SECONDS = 60.0
"""How long drivers may save before the service leaves; they go on saving without it."""
INTERRUPTED = 130

log = logging.getLogger("fersearch.service")


class Supervisor:
    """One thread that brings what runs into line with the queue, again and again.

    What runs is known by the studies' leases and not by this process's children alone: drivers that an earlier
    service left are found again, and share the slots with the others.
    """

    def __init__(self, store: Store, settings: ServiceSettings, slots: int, lease: ServiceLease | None = None) -> None:
        self._store, self._settings, self.slots, self._lease = store, settings, slots, lease
        self._drivers: dict[int, DriverProcess] = {}
        self._given: dict[int, list[int]] = {}
        self._sent: dict[int, list[int]] = {}
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fersearch-supervisor", daemon=True)

    def start(self) -> None:
        """Begin to run what is queued."""
        self._thread.start()

    def wake(self) -> None:
        """Look at the queue now, for it has changed."""
        self._wake.set()

    @property
    def given(self) -> Mapping[int, Sequence[int]]:
        """The slots that each study may use, by its id."""
        return dict(self._given)

    def close(self) -> None:
        """Let every driver save and leave; the queue stays, and the next service goes on with it."""
        self._closed.set()
        self._wake.set()
        self._thread.join(STOPPING_SECONDS)
        for queued in self._queue():
            if queued.running and queued.study_id not in self._drivers:
                self._store.request_stop(queued.study)
        deadline = time.monotonic() + STOPPING_SECONDS
        for driver in self._drivers.values():
            driver.stop()
        for driver in self._drivers.values():
            if not driver.wait(max(0.0, deadline - time.monotonic())):
                log.warning("the driver of study '%s' is still saving; it leaves on its own", driver.study)

    def _queue(self) -> list[Queued]:
        try:
            return self._store.queue()
        except FersearchError as error:
            log.warning("the queue cannot be read: %s", error.message)
            return []

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self.step()
            except FersearchError as error:
                log.warning("the queue waits: %s", error.message)
            except OSError as error:
                log.warning("the queue waits: %s", error)
            except Exception:
                log.exception("the supervisor failed and tries again")
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()

    def step(self) -> None:
        """Look at the queue once: take out what is over, and share the slots among the rest.

        Raises:
            StudyBusy: another service has taken over the database.
        """
        if self._lease is not None and self._lease.lost:
            raise StudyBusy("another service has taken over this database", "end this one")
        for note in drain_notices():
            log.info("%s", note)
        queue = [queued for queued in self._store.queue() if self._is_waiting(queued)]
        active = [queued for queued in queue if not queued.paused]
        demands = [Demand(one.study_id, one.owner, min(one.left, self.slots)) for one in active]
        limits = {name: Share(owner.weight, owner.max_slots) for name, owner in self._store.owners().items()}
        wanted = shares.counts(demands, self.slots, limits)
        before = {one.study_id: self._given.get(one.study_id, one.held) for one in active}
        given = shares.slots(wanted, before, self._busy(queue), self.slots)
        for queued in active:
            self._give(queued, given[queued.study_id])
        self._given = {study: slots for study, slots in given.items() if slots}

    def _busy(self, queue: Sequence[Queued]) -> set[int]:
        """Return the slots in which trials run or may begin: what drivers hold, and what one that starts was sent."""
        starting = [self._sent[one.study_id] for one in queue if one.study_id in self._drivers and not one.running]
        return {slot for slots in (*(one.held for one in queue), *starting) for slot in slots}

    def _give(self, queued: Queued, slots: Sequence[int]) -> None:
        """Start a study's driver, or tell it which slots it has now."""
        key = queued.study_id
        if queued.running:
            if list(slots) != self._sent.get(key, list(queued.held)):
                self._store.give_slots(key, slots)
                self._sent[key] = list(slots)
        elif slots and key not in self._drivers:
            log.info("study '%s' begins in slots %s", queued.study, ", ".join(map(str, slots)))
            self._drivers[key] = DriverProcess(queued, slots, self._settings)
            self._sent[key] = list(slots)

    def _is_waiting(self, queued: Queued) -> bool:
        """Return whether a study of the queue runs or is to run, taking out one that is over or whose driver failed.

        One whose driver has left just now is looked at again in the next step, by rows that are written then.
        """
        driver = self._drivers.get(queued.study_id)
        if driver is not None:
            return driver.exit_code is None or self._has_left(queued, driver, driver.exit_code)
        if queued.over and not queued.running:
            self._store.dequeue(queued.study_id)
            return False
        return True

    def _has_left(self, queued: Queued, driver: DriverProcess, code: int) -> bool:
        """Forget a driver that has ended; return False, for its study does not run in this step.

        Only once that is stored: while the database cannot be written, the study is not begun again.
        """
        if code == 0 and "timeout" in queued.options:  # the time of this run is used up
            self._store.dequeue(queued.study_id)
        elif code not in (0, INTERRUPTED) and not queued.running:
            self._failed(queued, driver, code)
        del self._drivers[queued.study_id]
        self._sent.pop(queued.study_id, None)
        return False

    def _failed(self, queued: Queued, driver: DriverProcess, code: int) -> None:
        message = driver.last_lines()
        log.warning("study '%s' failed with exit code %d: %s", queued.study, code, message)
        with (
            Lease.take(self._store.database, queued.study_id, queued.study) as lease,
            self._store.writer(queued.study_id, lease) as writer,
        ):
            writer.study_changed("failed", {"exit_code": code, "message": message})
        self._store.dequeue(queued.study_id)
