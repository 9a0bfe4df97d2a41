"""Run the studies of the queue: start their drivers, share the slots among them, and stop them at the end."""

import logging
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from fersearch.context import drain_notices
from fersearch.errors import FersearchError, StudyBusy
from fersearch.service import reservations, shares
from fersearch.service.drivers import DriverProcess
from fersearch.service.reservations import Reservations
from fersearch.service.settings import ServiceSettings
from fersearch.service.shares import Demand, Share
from fersearch.store import Lease, Store
from fersearch.store.queue import Queued
from fersearch.store.service_lease import ServiceLease

TICK_SECONDS = 1.0
STOPPING_SECONDS = 60.0
"""Seconds that the service waits for drivers to save before it exits; they go on saving without it."""
INTERRUPTED = 130

log = logging.getLogger("fersearch.service")


@dataclass(frozen=True)
class _InitialSlots:
    """The slots with which a driver was started, and the last event that reported its study's slots before."""

    slots: tuple[int, ...]
    reported: int


class Supervisor:
    """One thread that repeatedly reconciles the running drivers with the queue.

    Running studies are known by their leases, not only as children of this process: drivers that an earlier
    service left running are recognised, and share the slots with the others.
    """

    def __init__(self, store: Store, settings: ServiceSettings, slots: int, lease: ServiceLease | None = None) -> None:
        self._store, self._settings, self.slots, self._lease = store, settings, slots, lease
        self._drivers: dict[int, DriverProcess] = {}
        self._assigned: dict[int, list[int]] = {}
        self._sent: dict[int, list[int]] = {}
        self._initial: dict[int, _InitialSlots] = {}
        self._wake = threading.Event()
        self._closed = threading.Event()
        self.reservations = Reservations(self.wake)
        self._thread = threading.Thread(target=self._run, name="fersearch-supervisor", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Process the queue now, because it has changed."""
        self._wake.set()

    @property
    def assigned(self) -> Mapping[int, Sequence[int]]:
        """The slots that each study may use, by its id."""
        return dict(self._assigned)

    def close(self) -> None:
        """Make every driver save and exit; the queue stays for the next service."""
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
                log.warning("the driver of study '%s' is still saving; it will exit by itself", driver.study)

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
        """Process the queue once: remove ended studies, and share the slots among the rest.

        Raises:
            StudyBusy: another service has taken over the database.
        """
        if self._lease is not None and self._lease.lost:
            raise StudyBusy("another service has taken over this database", "end this one")
        for note in drain_notices():
            log.info("%s", note)
        stored = self._store.queue()
        self._forget_exited({queued.study_id for queued in stored})
        queue = [queued for queued in stored if self._is_waiting(queued)]
        active = [queued for queued in queue if not queued.paused]
        reserved = self.reservations.all()  # first in order: their clients wait for them
        demands = reservations.demands(reserved)
        demands += [Demand(one.study_id, one.owner, min(one.trials_left, self.slots)) for one in active]
        limits = {name: Share(owner.weight, owner.max_slots) for name, owner in self._store.owners().items()}
        counts = shares.counts(demands, self.slots, limits)
        before = {one.study_id: self._assigned.get(one.study_id, one.claimed) for one in active}
        reserved_slots = reservations.slots_of(reserved)
        busy = self._busy(queue).union(*reserved_slots.values())
        assigned = shares.slots(counts, {**before, **reserved_slots}, busy, self.slots)
        reservations.assign(reserved, assigned)
        for queued in active:
            self._give(queued, assigned[queued.study_id])
        self._assigned = {one.study_id: assigned[one.study_id] for one in active if assigned[one.study_id]}

    def _busy(self, queue: Sequence[Queued]) -> set[int]:
        """Return the slots in which trials run or may begin.

        They are those that drivers reported; those with which a driver was started that has not reported any, as it
        may begin trials in them whatever it has been sent meanwhile; and those of drivers whose study has left the
        queue, as by a stop, until they exit.
        """
        reported = {one.study_id: one.reported if one.running else 0 for one in queue}
        self._initial = {
            key: initial for key, initial in self._initial.items() if reported.get(key, 0) <= initial.reported
        }
        starting = (initial.slots for initial in self._initial.values())
        leaving = (self._sent[key] for key in self._drivers if key not in reported)
        return {slot for slots in (*(one.claimed for one in queue), *starting, *leaving) for slot in slots}

    def _give(self, queued: Queued, slots: Sequence[int]) -> None:
        """Start a study's driver, or send it its new slots."""
        key = queued.study_id
        if queued.running:
            if list(slots) != self._sent.get(key, list(queued.claimed)):
                self._store.give_slots(key, slots)
                self._sent[key] = list(slots)
        elif slots and key not in self._drivers:
            log.info("study '%s' begins in slots %s", queued.study, ", ".join(map(str, slots)))
            self._drivers[key] = DriverProcess(queued, slots, self._settings, self.wake)
            self._sent[key] = list(slots)
            self._initial[key] = _InitialSlots(tuple(slots), queued.reported)

    def _is_waiting(self, queued: Queued) -> bool:
        """Return whether a queued study runs or should run; remove one that is over or whose driver failed.

        One whose driver has just exited is processed in the next step, when its rows are complete.
        """
        driver = self._drivers.get(queued.study_id)
        if driver is not None:
            return driver.exit_code is None or self._has_left(queued, driver, driver.exit_code)
        if queued.over and not queued.running:
            self._store.dequeue(queued.study_id)
            return False
        return True

    def _has_left(self, queued: Queued, driver: DriverProcess, code: int) -> bool:
        """Forget a driver that has exited; return False, because its study does not run in this step.

        It is forgotten only once that is stored: while the database cannot be written, the study is not restarted.
        """
        if code == 0 and "timeout" in queued.options:  # the time of this run is used up
            self._store.dequeue(queued.study_id)
        elif code not in (0, INTERRUPTED) and not queued.running:
            self._failed(queued, driver, code)
        self._forget(queued.study_id)
        self.wake()
        return False

    def _forget_exited(self, queued: Collection[int]) -> None:
        """Forget the drivers that have exited after their study left the queue."""
        for key, driver in list(self._drivers.items()):
            if key not in queued and driver.exit_code is not None:
                self._forget(key)

    def _forget(self, key: int) -> None:
        del self._drivers[key]
        self._sent.pop(key, None)
        self._initial.pop(key, None)

    def _failed(self, queued: Queued, driver: DriverProcess, code: int) -> None:
        message = driver.last_lines()
        log.warning("study '%s' failed with exit code %d: %s", queued.study, code, message)
        with (
            Lease.take(self._store.database, queued.study_id, queued.study) as lease,
            self._store.writer(queued.study_id, lease) as writer,
        ):
            writer.study_changed("failed", {"exit_code": code, "message": message})
        self._store.dequeue(queued.study_id)
