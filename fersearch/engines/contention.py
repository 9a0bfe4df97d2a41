"""Other users of a trial's device while it runs: trials of the same study, and other processes on a GPU."""

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from fersearch import nvml
from fersearch.engines.gpu_memory import gigabytes
from fersearch.nvml import Standing

SELDOM = 60.0  # seconds between two checks
HIDDEN = 500 * 2**20
"""Bytes in use beyond our own that indicate another user, where the driver shows no process."""
BUSY = 10
"""Percent of its time that a GPU without processes of ours computes, from which it has another user."""
ADVICE = "timings there are not comparable; leave it out with CUDA_VISIBLE_DEVICES"


@dataclass
class _Stay:
    """A trial on a device: `beside` is the sum of the seconds that other trials ran there meanwhile."""

    device: str
    since: float
    beside: float = 0.0
    most: int = 0


class Contention:
    """Count of the trials on each device, identified by any name; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked = clock()
        self._stays: dict[int, _Stay] = {}

    def join(self, trial: int, device: str) -> None:
        """Record that a trial begins on a device."""
        self._count()
        self._stays[trial] = _Stay(device, self._looked)
        there = [stay for stay in self._stays.values() if stay.device == device]
        for stay in there:
            stay.most = max(stay.most, len(there) - 1)

    def leave(self, trial: int) -> dict[str, float]:
        """Record a trial's end; return `neighbours` (mean) and `most_neighbours`, empty if it never began."""
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


def strangers(
    gpu: str, standing: Standing, ours: Collection[int], reserved: int | None, named: Callable[[int], str]
) -> dict[str, str]:
    """Return messages about other users of a GPU, each by a key that stays the same for the same user.

    `ours` are our processes, `reserved` the bytes that they may use there (None: unknown), `named` returns a
    process's name.
    """
    messages = {
        f"{gpu} {pid}": f"gpu {gpu} is also used by pid {pid}{_about(named(pid), size)}"
        for pid, size in standing.processes.items()
        if pid not in ours
    }
    if not messages and reserved is not None and not set(standing.processes) & set(ours):
        spare = standing.used - reserved
        if spare > HIDDEN:
            messages[f"{gpu} hidden"] = f"something else uses {gigabytes(spare)} of gpu {gpu}"
        elif not reserved and (standing.utilisation or 0) >= BUSY:
            messages[f"{gpu} busy"] = f"something else keeps gpu {gpu} busy ({standing.utilisation} % of its time)"
    return {key: f"{text}: {ADVICE}" for key, text in messages.items()}


class ContentionMonitor:
    """Checks the GPUs from time to time and reports each other user once."""

    def __init__(
        self,
        gpus: Sequence[str],
        note: Callable[[str], None],
        reserved: Callable[[], Mapping[str, int | None]],
        read: Callable[[str], Standing | None] = nvml.standing,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gpus, self._note, self._reserved, self._read, self._clock = gpus, note, reserved, read, clock
        self._reported: set[str] = set()
        self._looked: float | None = None

    def look(self) -> None:
        """Check the GPUs, unless they were checked within the last interval."""
        if not self._gpus or (self._looked is not None and self._clock() - self._looked < SELDOM):
            return
        self._looked = self._clock()
        ours, reserved = own_processes(), self._reserved()
        for gpu in self._gpus:
            standing = self._read(gpu)
            messages = strangers(gpu, standing, ours, reserved.get(gpu, 0), process_name) if standing else {}
            for key, text in messages.items():
                if key not in self._reported:
                    self._reported.add(key)
                    self._note(text)


def own_processes() -> set[int]:
    """Return the pids of this process and all its descendants."""
    import psutil

    return {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}


def process_name(pid: int) -> str:
    """Return a process's name; empty if it cannot be read."""
    import psutil

    try:
        return str(psutil.Process(pid).name())
    except psutil.Error:
        return ""


def _about(name: str, size: int) -> str:
    """Return the known facts of a process as text in brackets."""
    known = [part for part in (name, gigabytes(size) if size else "") if part]
    return f" ({', '.join(known)})" if known else ""
