"""What else uses a trial's device while it runs: other trials of the study, and other processes on a GPU."""

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from fersearch import nvml
from fersearch.engines.gpu_memory import gigabytes
from fersearch.nvml import GpuStatus

CHECK_SECONDS = 60.0  # seconds between two checks
HIDDEN = 500 * 2**20
"""Bytes in use beyond our own that indicate another user, where the driver shows no process."""
BUSY = 10
"""Least utilisation, in percent, that indicates another user on a GPU without processes of ours."""
ADVICE = "timings there are not comparable; leave it out with CUDA_VISIBLE_DEVICES"


@dataclass
class _Occupancy:
    """A trial on a device: `shared_seconds` is the sum of the seconds that other trials ran there meanwhile."""

    device: str
    since: float
    shared_seconds: float = 0.0
    most_neighbours: int = 0


class Contention:
    """Count of the trials on each device, identified by any name; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._checked = clock()
        self._running: dict[int, _Occupancy] = {}

    def join(self, trial: int, device: str) -> None:
        """Record that a trial begins on a device."""
        self._count()
        self._running[trial] = _Occupancy(device, self._checked)
        sharing = [occupancy for occupancy in self._running.values() if occupancy.device == device]
        for occupancy in sharing:
            occupancy.most_neighbours = max(occupancy.most_neighbours, len(sharing) - 1)

    def leave(self, trial: int) -> dict[str, float]:
        """Record a trial's end; return `neighbours` (mean) and `most_neighbours`, empty if it never began."""
        self._count()
        occupancy = self._running.pop(trial, None)
        if occupancy is None:
            return {}
        seconds = self._checked - occupancy.since
        mean = occupancy.shared_seconds / seconds if seconds > 0 else float(occupancy.most_neighbours)
        return {"neighbours": round(mean, 2), "most_neighbours": occupancy.most_neighbours}

    def _count(self) -> None:
        now = self._clock()
        passed, self._checked = now - self._checked, now
        for occupancy in self._running.values():
            others = sum(other.device == occupancy.device for other in self._running.values()) - 1
            occupancy.shared_seconds += passed * others


def other_users(
    gpu: str, status: GpuStatus, ours: Collection[int], reserved: int | None, named: Callable[[int], str]
) -> dict[str, str]:
    """Return messages about other users of a GPU, each by a key that stays the same for the same user.

    `ours` are our processes, `reserved` the bytes that they may use there (None: unknown), `named` returns a
    process's name.
    """
    messages = {
        f"{gpu} {pid}": f"gpu {gpu} is also used by pid {pid}{_about(named(pid), size)}"
        for pid, size in status.processes.items()
        if pid not in ours
    }
    if not messages and reserved is not None and not set(status.processes) & set(ours):
        spare = status.used - reserved
        if spare > HIDDEN:
            messages[f"{gpu} hidden"] = f"something else uses {gigabytes(spare)} of gpu {gpu}"
        elif not reserved and (status.utilisation or 0) >= BUSY:
            messages[f"{gpu} busy"] = f"something else keeps gpu {gpu} busy ({status.utilisation} % of its time)"
    return {key: f"{text}: {ADVICE}" for key, text in messages.items()}


class ContentionMonitor:
    """Checks the GPUs from time to time and reports each other user once."""

    def __init__(
        self,
        gpus: Sequence[str],
        note: Callable[[str], None],
        reserved: Callable[[], Mapping[str, int | None]],
        read: Callable[[str], GpuStatus | None] = nvml.status,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gpus, self._note, self._reserved, self._read, self._clock = gpus, note, reserved, read, clock
        self._reported: set[str] = set()
        self._checked: float | None = None

    def look(self) -> None:
        """Check the GPUs, unless they were checked within the last interval."""
        if not self._gpus or (self._checked is not None and self._clock() - self._checked < CHECK_SECONDS):
            return
        self._checked = self._clock()
        ours, reserved = own_processes(), self._reserved()
        for gpu in self._gpus:
            status = self._read(gpu)
            messages = other_users(gpu, status, ours, reserved.get(gpu, 0), process_name) if status else {}
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
