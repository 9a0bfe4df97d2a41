"""The CPU time that other processes take while trials train on the CPU."""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fersearch.trial import MUCH_OTHER_WORK

SHARE = "other_cpu_share"
NOTE = (
    "other processes kept {share:.0%} of {cpu} busy while trial {trial} ran: wall seconds are not comparable then, "
    "cpu_seconds nearly are"
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


def cpu_times(pid: int | None = None) -> CpuTimes | None:
    """Return the times of the cores that this process may use; None if the system does not report them.

    Ours are this process, or that of `pid`, and its descendants.
    """
    import psutil

    allowed = os.sched_getaffinity(0) if sys.platform == "linux" else None
    try:
        cores = [
            times for core, times in enumerate(psutil.cpu_times(percpu=True)) if allowed is None or core in allowed
        ]
        own = psutil.Process(pid)
        ours = sum(map(_seconds, (own, *own.children(recursive=True))))
    except (psutil.Error, OSError, NotImplementedError):
        return None
    return CpuTimes(time.monotonic(), len(cores), sum(map(_busy, cores)), ours) if cores else None


class OtherLoad:
    """The mean share of the CPU that processes other than ours took during each trial."""

    def __init__(self, read: Callable[[], CpuTimes | None] | None = None) -> None:
        self._read = read or cpu_times
        self._begun: dict[int, CpuTimes] = {}

    def join(self, trial: int) -> None:
        """Record that a trial begins."""
        if times := self._read():
            self._begun[trial] = times

    def leave(self, trial: int) -> dict[str, float]:
        """Record a trial's end; return its `other_cpu_share` from 0 to 1, empty if that is unknown."""
        before = self._begun.pop(trial, None)
        after = self._read() if before else None
        if before is None or after is None or after.clock <= before.clock:
            return {}
        others = (after.busy - before.busy) - (after.ours - before.ours)
        share = min(1.0, max(0.0, others / (after.clock - before.clock) / after.cores))
        return {SHARE: round(share, 2)}


class OtherLoadNote:
    """Notes the first trial of a run during which other processes took much of the CPU; `advice` follows the note."""

    def __init__(self, note: Callable[[str], None], advice: str = "") -> None:
        self._note, self._advice = note, advice
        self._noted = False

    def look(self, trial: int, facts: Mapping[str, Any]) -> None:
        """Note an attempt's facts if they say so, unless an earlier trial's did."""
        if self._noted or (share := float(facts.get(SHARE, 0.0))) < MUCH_OTHER_WORK:
            return
        self._noted = True
        cpu = f"the CPU of {facts['node']}" if "node" in facts else "the CPU"
        note = NOTE.format(share=share, cpu=cpu, trial=trial)
        self._note(f"{note}; {self._advice}" if self._advice else note)


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
