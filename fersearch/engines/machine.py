"""Quiet turns between drivers of one home: a trial that measures its latency also pauses other drivers' trials.

Each running trial holds a shared lock on the file `running`, and between two steps checks whether another trial holds
the lock on `wanted`. If so it releases its own lock for at most `PAUSE` seconds; once nobody holds `running`, the other
trial measures. Locks end with their process, so that a killed trial or driver never leaves others paused.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from fersearch.engines.quiet import BETWEEN, PATIENCE, PAUSE, SLACK, TRIES
from fersearch.home import quiet_folder
from fersearch.locks import flock, unlock
from fersearch.training.pauses import pausing

if TYPE_CHECKING:
    from fersearch.training.latency import SteadyLatency, Take

LOOK_SECONDS = 0.05
"""Seconds between two checks for a measuring trial: on a network file system each check takes a millisecond."""
POLL_SECONDS = 0.01
"""Seconds between two tries to take a lock."""


class Machine:
    """A trial's part in the quiet turns of its machine; `before_pause` is called before each pause.

    The trial takes part within the `with` block. Where a system has no locks, other drivers are not noticed.
    """

    def __init__(self, folder: Path | None = None, before_pause: Callable[[], None] = lambda: None) -> None:
        folder = folder or quiet_folder()
        folder.mkdir(parents=True, exist_ok=True)
        own = folder / socket.gethostname()
        self._running = own.with_name(f"{own.name}.running").open("ab")
        self._wanted = own.with_name(f"{own.name}.wanted").open("ab")
        self._before_pause = before_pause
        self._asides = 0
        self._is_overdue = False
        self._next_look = 0.0

    def __enter__(self) -> Self:
        self._take_part()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Release every lock."""
        self._running.close()
        self._wanted.close()

    def pulse(self) -> None:
        """Pause while a trial of another driver measures; call it between two steps."""
        if (now := time.monotonic()) >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._give_way()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Count as paused within the block, which must leave the machine quiet."""
        unlock(self._running)
        self._asides += 1
        try:
            yield
        finally:
            self._asides -= 1
            if not self._asides:
                self._take_part()

    def measure(self, take: "Take", most: float = PAUSE) -> "SteadyLatency | None":
        """Measure for at most `most` seconds while no other trial runs; None if the others did not pause for it.

        This trial itself must not take part, or be aside.
        """
        until = time.monotonic() + most
        try:
            if not self._others_paused(time.monotonic() + PATIENCE) or (left := until - time.monotonic()) <= 0:
                return None
            overdue = self._overdue_count()
            latency = take(min(left, PAUSE - SLACK))
            return latency if self._overdue_count() == overdue else None
        finally:
            unlock(self._wanted)

    def quiet(self, take: "Take") -> "SteadyLatency | None":
        """Measure like `measure`, with some tries to pause the others."""
        for attempt in range(TRIES):
            time.sleep(BETWEEN if attempt else 0)
            if latency := self.measure(take):
                return latency
        return None

    def _take_part(self) -> None:
        flock(self._running, wait=True, shared=True)
        self._give_way()

    def _give_way(self) -> None:
        """Pause while another trial measures; if it takes too long, leave a byte in `running`."""
        until = time.monotonic() + PAUSE
        while (is_wanted := self._is_wanted()) and not self._is_overdue and time.monotonic() < until:
            self._before_pause()
            with pausing():
                unlock(self._running)
                while self._is_wanted() and time.monotonic() < until:
                    time.sleep(POLL_SECONDS)
                flock(self._running, wait=True, shared=True)
        if is_wanted and not self._is_overdue:
            self._running.write(b".")
            self._running.flush()
        self._is_overdue = is_wanted

    def _is_wanted(self) -> bool:
        is_free = flock(self._wanted, wait=False, shared=True)
        unlock(self._wanted)
        return not is_free

    def _others_paused(self, until: float) -> bool:
        """Ask the others to pause, and return whether all have by a time."""
        while not flock(self._wanted, wait=False):
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_SECONDS)
        while not flock(self._running, wait=False):
            if time.monotonic() >= until:
                return False
            time.sleep(POLL_SECONDS)
        unlock(self._running)
        return True

    def _overdue_count(self) -> int:
        """Return how often a trial resumed before the end of a measurement."""
        return os.fstat(self._running.fileno()).st_size


def measure_alone(take: "Take") -> "SteadyLatency | None":
    """Measure in a process that trains nothing; None if the trials on this machine did not pause for it."""
    with closing(Machine()) as machine:
        return machine.quiet(take)
