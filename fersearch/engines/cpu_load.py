"""The CPU time that other processes take while trials train on the CPU."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fersearch.formatting import plural
from fersearch.trial import MUCH_OTHER_WORK

NOTE = (
    "other processes kept {share:.0%} of {cores} busy while trial {trial} ran: wall seconds are not comparable then, "
    "cpu_seconds nearly are; --exclusive-timing retrains the front alone to time it at the end"
)


@dataclass(frozen=True)
class CpuTimes:
    """Seconds so far: of the clock, of all cores together, of work on these cores, and of our own processes.

    `busy` includes the time that a hypervisor gave to other machines (steal time), `ours` that of ended processes.
    """

    clock: float
    cores: int
    busy: float
    ours: float


def cpu_times() -> CpuTimes | None:
    """Return the times of the cores that this process may use; None if the system does not report them."""
    import psutil

    allowed = os.sched_getaffinity(0) if sys.platform == "linux" else None
    try:
        cores = [
            times for core, times in enumerate(psutil.cpu_times(percpu=True)) if allowed is None or core in allowed
        ]
        own = psutil.Process()
        ours = sum(map(_seconds, (own, *own.children(recursive=True))))
    except (psutil.Error, OSError, NotImplementedError):
        return None
    return CpuTimes(time.monotonic(), len(cores), sum(map(_busy, cores)), ours) if cores else None


class OtherLoad:
    """The mean share of the CPU that processes other than ours took during each trial; a large one is noted once."""

    def __init__(self, note: Callable[[str], None], read: Callable[[], CpuTimes | None] | None = None) -> None:
        self._note, self._read = note, read or cpu_times
        self._noted = False
        self._begun: dict[int, CpuTimes] = {}

    def join(self, trial: int) -> None:
        """Record that a trial begins."""
        if times := self._read():
            self._begun[trial] = times

    def leave(self, trial: int) -> dict[str, float]:
        """Record a trial's end; return its `other_cpu_share` from 0 to 1, empty if that is unknown."""
        before, after = self._begun.pop(trial, None), self._read()
        if before is None or after is None or after.clock <= before.clock:
            return {}
        others = (after.busy - before.busy) - (after.ours - before.ours)
        share = min(1.0, max(0.0, others / (after.clock - before.clock) / after.cores))
        if share >= MUCH_OTHER_WORK and not self._noted:
            self._noted = True
            self._note(NOTE.format(share=share, cores=plural(after.cores, "core"), trial=trial))
        return {"other_cpu_share": round(share, 2)}


def _busy(core: Any) -> float:
    """Return the seconds that a core was not idle; the time of guests is included in `user`."""
    names = ("user", "nice", "system", "irq", "softirq", "steal")
    return float(sum(getattr(core, name, 0.0) for name in names))


def _seconds(process: Any) -> float:
    """Return a process's CPU seconds with those of its children that have ended and were waited for."""
    import psutil

    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)
