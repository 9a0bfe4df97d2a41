"""Placement of the next trial: in fixed slots, or as many on each GPU as fit by memory."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fersearch.engines import gpu_memory
from fersearch.engines.devices import Slot
from fersearch.engines.gpu_memory import Load
from fersearch.nvml import GpuStatus
from fersearch.search.retries import micro_batches
from fersearch.trial import Trial

SETTLE = 5.0  # seconds until the memory of an ended process is released
REREAD = 1.0  # seconds between two checks of the GPUs while a trial waits
NO_STATUS = GpuStatus(0, 0, {})  # of a GPU on which the driver does not report: one trial at a time
ROOM_TO_PROBE = 2 * gpu_memory.GIGABYTE  # least free memory to measure a trial beside others


class Placement(Protocol):
    """The slots of an engine."""

    @property
    def open(self) -> bool:
        """Whether any slot is free, so that a trial may be requested."""

    def take(self, trial: Trial) -> Slot | None:
        """Return a slot for a trial; None if it must wait and be offered again."""

    def runs(self, slot: Slot, pid: int) -> None:
        """Record the process of the trial in a slot."""

    def give_back(self, slot: Slot, trial: Trial) -> None:
        """Free the slot of a trial that has ended."""

    def reserved(self) -> Mapping[str, int | None]:
        """Return the bytes that our trials may use on each GPU, None where that is unknown."""

    def close(self) -> None:
        """Release what the placement holds."""


class FixedPlacement:
    """A fixed number of slots, whatever the trials need; `only` restricts them by number."""

    def __init__(self, slots: Sequence[Slot], only: Collection[int] | None = None) -> None:
        self._free = list(reversed(slots))
        self._busy: set[Slot] = set()
        self._allowed = set(range(len(slots)) if only is None else only)
        self._leaving: set[int] = set()  # slots that may no longer be used, in which a trial still runs

    @property
    def open(self) -> bool:
        """Whether any slot is free."""
        return any(slot.number in self._allowed for slot in self._free)

    @property
    def claimed(self) -> list[int]:
        """The numbers of the slots that may be used, and of those in which a trial still runs."""
        return sorted(self._allowed | self._leaving)

    def restrict(self, numbers: Collection[int]) -> None:
        """Start trials only in these slots from now on; those that run in others continue to their end."""
        self._allowed = set(numbers)
        self._leaving = {slot.number for slot in self._busy} - self._allowed

    def take(self, trial: Trial) -> Slot | None:  # noqa: ARG002
        """Return the usable slot that was freed last."""
        slot = next(slot for slot in reversed(self._free) if slot.number in self._allowed)
        self._free.remove(slot)
        self._busy.add(slot)
        return slot

    def runs(self, slot: Slot, pid: int) -> None:
        """Ignore the process: placement does not depend on it."""

    def give_back(self, slot: Slot, trial: Trial) -> None:  # noqa: ARG002
        """Free the slot."""
        self._busy.discard(slot)
        self._leaving.discard(slot.number)
        self._free.append(slot)

    def reserved(self) -> Mapping[str, int | None]:
        """Return 0 bytes for GPUs where no trial runs, None where the memory is unknown."""
        busy = {slot.gpu for slot in self._busy}
        return {slot.gpu: None if slot.gpu in busy else 0 for slot in (*self._free, *self._busy) if slot.gpu}

    def close(self) -> None:
        """Do nothing: no process was started."""


class Measuring(Protocol):
    """A running probe."""

    def result(self) -> Mapping[str, Any] | None:
        """Return `{"need": bytes}` or `{"lacks": text}`; None while the probe runs."""

    def close(self) -> None:
        """End the probe."""


Prober = Callable[[Trial, Slot, int | None], Measuring]
"""Starts a probe of the memory that a trial needs in a slot, with at most a number of bytes of its GPU."""


@dataclass
class _Probing:
    """The running probe, the shape that it measures, and the GPU."""

    shape: str
    gpu: str
    measuring: Measuring


class PackedPlacement:
    """A placement of as many trials on each GPU as fit there by their memory.

    The need of a trial is measured once for all trials of its shape, or `known` from ended attempts. `slots` are the
    most trials on each GPU; `read` asks the driver about a GPU; `note` is called with the decisions.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        prober: Prober,
        read: Callable[[str], GpuStatus | None],
        note: Callable[[str], None],
        known: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
        keeps: Callable[[Trial, int], bool] = lambda *_: True,
    ) -> None:
        self._slots: dict[str, list[Slot]] = {}
        for slot in reversed(slots):
            self._slots.setdefault(slot.gpu or slot.device, []).append(slot)
        self._most = {gpu: len(free) for gpu, free in self._slots.items()}
        self._prober, self._read, self._note, self._clock = prober, read, note, clock
        self._keeps = keeps
        self._needs: dict[str, int | None] = dict(known or {})
        self._loads: dict[Slot, Load] = {}
        self._vacated: dict[str, float] = {}
        self._idle: dict[str, int] = {}
        self._reported: dict[str, tuple[int, bool]] = {}
        self._probing: _Probing | None = None
        self._statuses: tuple[float, dict[str, GpuStatus]] | None = None

    @property
    def open(self) -> bool:
        """Whether any slot is free."""
        return any(self._slots.values())

    def take(self, trial: Trial) -> Slot | None:
        """Return a slot on the GPU with most room where the trial fits; None while it is measured or must wait."""
        shape = gpu_memory.shape(trial.params, micro_batches(trial))
        if shape not in self._needs and not self._measured(trial, shape):
            return None
        need = self._needs[shape]
        rooms = self._rooms()
        gpu = gpu_memory.choose(need, rooms, self._empty(rooms))
        if gpu is None:
            return None
        self._report(gpu, need)
        slot = self._slots[gpu].pop()
        self._loads[slot] = Load(gpu_memory.reserve(rooms[gpu] if need is None else need))
        self._statuses = None
        return slot

    def runs(self, slot: Slot, pid: int) -> None:
        """Record the process of the trial in a slot, so that its share of the GPU can be read."""
        if slot in self._loads:
            self._loads[slot] = Load(self._loads[slot].reserved, pid)

    def give_back(self, slot: Slot, trial: Trial) -> None:
        """Free the slot, and record the memory that the trial really took as the need of its shape."""
        gpu = slot.gpu or slot.device
        self._loads.pop(slot, None)
        self._slots[gpu].append(slot)
        self._vacate(gpu)
        for shape, need in needs_of([trial]).items():
            self._needs[shape] = max(need, self._needs.get(shape) or 0)

    def reserved(self) -> Mapping[str, int | None]:
        """Return the bytes reserved on each GPU."""
        bytes_by_gpu: dict[str, int | None] = {gpu: self._reserved_on(gpu) for gpu in self._slots}
        return bytes_by_gpu | ({self._probing.gpu: None} if self._probing else {})

    def close(self) -> None:
        """End a running probe."""
        if self._probing:
            self._probing.measuring.close()
            self._probing = None

    def _measured(self, trial: Trial, shape: str) -> bool:
        """Continue to measure a shape; return whether that is done."""
        if self._probing is None:
            self._probing = self._probe(trial, shape)
            return False
        result = self._probing.measuring.result()
        if result is None:
            return False
        probing, self._probing = self._probing, None
        probing.measuring.close()
        self._vacate(probing.gpu)
        self._needs[probing.shape] = int(result["need"]) if "need" in result else None
        if "need" not in result:
            self._note(
                f"trial {trial.number} will run alone, because its memory could not be measured: {result['lacks']}"
            )
        if "peak" in result and probing.shape == shape and not self._keeps(trial, int(result["peak"])):
            return False
        return shape in self._needs

    def _probe(self, trial: Trial, shape: str) -> _Probing | None:
        """Start a probe on the GPU with most room; None while all are too full."""
        rooms = self._rooms()
        empty = self._empty(rooms)
        candidates = [gpu for gpu, room in rooms.items() if gpu in empty or room >= ROOM_TO_PROBE]
        if not candidates:
            return None
        gpu = max(candidates, key=lambda name: (rooms[name], name))
        limit = None if gpu in empty else rooms[gpu]
        return _Probing(shape, gpu, self._prober(trial, self._slots[gpu][-1], limit))

    def _rooms(self) -> dict[str, int]:
        """Return the available bytes of each GPU that has a free slot."""
        statuses = self._look()
        return {
            gpu: gpu_memory.room(statuses[gpu], self._loads_on(gpu), self._idle.get(gpu, 0))
            for gpu, free in self._slots.items()
            if free
        }

    def _empty(self, gpus: Iterable[str]) -> set[str]:
        """Return the GPUs where no trial of ours runs and those that ended had time to release their memory."""
        now = self._clock()
        return {gpu for gpu in gpus if not self._loads_on(gpu) and now - self._vacated.get(gpu, -SETTLE) >= SETTLE}

    def _look(self) -> dict[str, GpuStatus]:
        now = self._clock()
        if self._statuses is None or now - self._statuses[0] >= REREAD:
            self._statuses = now, {gpu: self._read(gpu) or NO_STATUS for gpu in self._slots}
            for gpu in self._empty(self._statuses[1]):
                self._idle[gpu] = self._statuses[1][gpu].used
        return self._statuses[1]

    def _loads_on(self, gpu: str) -> list[Load]:
        return [load for slot, load in self._loads.items() if (slot.gpu or slot.device) == gpu]

    def _reserved_on(self, gpu: str) -> int:
        return sum(load.reserved for load in self._loads_on(gpu))

    def _vacate(self, gpu: str) -> None:
        self._vacated[gpu] = self._clock()
        self._statuses = None

    def _report(self, gpu: str, need: int | None) -> None:
        """Report how many such trials fit on the GPU, whenever that number changes."""
        status = self._look()[gpu]
        if need is None or status is NO_STATUS:
            return
        free = status.total - self._idle.get(gpu, 0)
        capacity = gpu_memory.how_many(need, free, self._most[gpu]), gpu_memory.reserve(need) <= free
        if self._reported.get(gpu) != capacity:
            self._reported[gpu] = capacity
            self._note(gpu_memory.decision(gpu, need, free, self._most[gpu]))


def needs_of(trials: Sequence[Trial]) -> dict[str, int]:
    """Return the bytes that trials of each shape took of their GPU, from ended attempts."""
    needs: dict[str, int] = {}
    for trial in trials:
        for attempt in trial.attempts:
            if peak := attempt.facts.get("device_mb"):
                shape = gpu_memory.shape(trial.params, int(attempt.facts.get("micro_batches", 1)))
                needs[shape] = max(needs.get(shape, 0), round(float(peak) * 2**20))
    return needs
