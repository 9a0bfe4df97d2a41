"""Who runs beside whom: how many other trials shared a trial's device while it ran, on average and at most."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class _Stay:
    """A trial on a device: `beside` are the seconds of other trials there, added up."""

    device: str
    since: float
    beside: float = 0.0
    most: int = 0


class Company:
    """Counts the trials on each device, whatever names it has; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self._stays: dict[int, _Stay] = {}

    def join(self, trial: int, device: str) -> None:
        """A trial begins on a device."""
        self._count()
        self._stays[trial] = _Stay(device, self._looked)
        there = [stay for stay in self._stays.values() if stay.device == device]
        for stay in there:
            stay.most = max(stay.most, len(there) - 1)

    def leave(self, trial: int) -> dict[str, float]:
        """A trial ends; returns `neighbours`, the mean over its time, and `most_neighbours`; nothing if none began."""
        self._count()
        stay = self._stays.pop(trial, None)
        if stay is None:
            return {}
        seconds = self._looked - stay.since
        mean = stay.beside / seconds if seconds > 0 else float(stay.most)
        return {"neighbours": round(mean, 2), "most_neighbours": stay.most}

    def _count(self) -> None:
        now = self._clock()
        passed, self._looked = now - self._looked, now
        for stay in self._stays.values():
            others = sum(other.device == stay.device for other in self._stays.values()) - 1
            stay.beside += passed * others
