"""Where the next trial goes: slots that are simply free or not, or as many on each GPU as fit by memory."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fersearch.engines import gpu_memory
from fersearch.engines.devices import Slot
from fersearch.engines.gpu_memory import Load
from fersearch.nvml import Standing
from fersearch.search.retries import micro_batches
from fersearch.trial import Trial

SETTLE = 5.0  # seconds in which the memory of a process that ended is given back
REREAD = 1.0  # seconds between two looks at the GPUs while a trial waits
UNSEEN = Standing(0, 0, {})  # a GPU of which the driver says nothing: one trial after another
ROOM_TO_PROBE = 2 * gpu_memory.GIGABYTE  # free memory without which no trial is measured beside others


class Placement(Protocol):
    """The slots of an engine."""

    @property
    def open(self) -> bool:
        """Whether any slot is free, so that a trial may be asked for."""

    def take(self, trial: Trial) -> Slot | None:
        """A slot for a trial; None if it must wait and is to be offered again."""

    def runs(self, slot: Slot, pid: int) -> None:
        """The process of the trial in a slot is known."""

    def give_back(self, slot: Slot, trial: Trial) -> None:
        """The trial in a slot has ended."""

    def reserved(self) -> Mapping[str, int | None]:
        """By GPU the memory that our trials may use there, in bytes: None where it is not known."""

    def close(self) -> None:
        """End whatever was started to decide."""


class FixedPlacement:
    """So many slots, whatever the trials need; `only` bounds them to some, by number."""

    def __init__(self, slots: Sequence[Slot], only: Collection[int] | None = None) -> None:
        self._free = list(reversed(slots))
        self._taken: set[Slot] = set()
        self._allowed = set(range(len(slots)) if only is None else only)

    @property
    def open(self) -> bool:
        """Whether any slot is free."""
        return any(slot.number in self._allowed for slot in self._free)

    @property
    def held(self) -> list[int]:
        """The numbers of the slots that may be used, and of those that a trial has not left yet."""
        return sorted(self._allowed | {slot.number for slot in self._taken})

    def restrict(self, numbers: Collection[int]) -> None:
        """Start trials in these slots alone from now on; those that run elsewhere go on to their end."""
        self._allowed = set(numbers)

    def take(self, trial: Trial) -> Slot | None:  # noqa: ARG002
        """Return the slot, of those that may be used, that was given back last."""
        slot = next(slot for slot in reversed(self._free) if slot.number in self._allowed)
        self._free.remove(slot)
        self._taken.add(slot)
        return slot

    def runs(self, slot: Slot, pid: int) -> None:
        """Which process it is changes nothing."""

    def give_back(self, slot: Slot, trial: Trial) -> None:  # noqa: ARG002
        """The slot is free."""
        self._taken.discard(slot)
        self._free.append(slot)

    def reserved(self) -> Mapping[str, int | None]:
        """Nothing on a GPU where no trial runs."""
        busy = {slot.gpu for slot in self._taken}
        return {slot.gpu: None if slot.gpu in busy else 0 for slot in (*self._free, *self._taken) if slot.gpu}

    def close(self) -> None:
        """Nothing was started."""


class Measuring(Protocol):
    """A probe that is under way."""

    def result(self) -> Mapping[str, Any] | None:
        """What came out, `{"need": bytes}` or `{"lacks": words}`; None as long as it lasts."""

    def close(self) -> None:
        """End it."""


Prober = Callable[[Trial, Slot, int | None], Measuring]
"""Starts measuring what a trial needs in a slot, with at most so many bytes of its GPU."""


@dataclass
class _Probing:
    """The probe under way: of which shape, and where."""

    shape: str
    gpu: str
    measuring: Measuring


class PackedPlacement:
    """As many trials on each GPU as fit there by their memory.

    What a trial needs is measured once for all of its shape, or `known` from attempts that ended. `slots` says how
    many may run on each GPU at most; `read` asks the driver of a GPU; `note` is told what is decided.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        prober: Prober,
        read: Callable[[str], Standing | None],
        note: Callable[[str], None],
        known: Mapping[str, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slots: dict[str, list[Slot]] = {}
        for slot in reversed(slots):
            self._slots.setdefault(slot.gpu or slot.device, []).append(slot)
        self._most = {gpu: len(free) for gpu, free in self._slots.items()}
        self._prober, self._read, self._note, self._clock = prober, read, note, clock
        self._needs: dict[str, int | None] = dict(known or {})
        self._loads: dict[Slot, Load] = {}
        self._vacated: dict[str, float] = {}
        self._idle: dict[str, int] = {}
        self._said: dict[str, tuple[int, bool]] = {}
        self._probing: _Probing | None = None
        self._standings: tuple[float, dict[str, Standing]] | None = None

    @property
    def open(self) -> bool:
        """Whether any slot is free."""
        return any(self._slots.values())

    def take(self, trial: Trial) -> Slot | None:
        """A slot on the GPU with most room where the trial fits; None while it is measured or has to wait."""
        shape = gpu_memory.shape(trial.params, micro_batches(trial))
        if shape not in self._needs and not self._measured(trial, shape):
            return None
        need = self._needs[shape]
        rooms = self._rooms()
        gpu = gpu_memory.choose(need, rooms, self._empty(rooms))
        if gpu is None:
            return None
        self._say(gpu, need)
        slot = self._slots[gpu].pop()
        self._loads[slot] = Load(gpu_memory.reserve(rooms[gpu] if need is None else need))
        self._standings = None
        return slot

    def runs(self, slot: Slot, pid: int) -> None:
        """From then on the trial's share of its GPU is seen."""
        if slot in self._loads:
            self._loads[slot] = Load(self._loads[slot].reserved, pid)

    def give_back(self, slot: Slot, trial: Trial) -> None:
        """The slot is free, and what the trial really took is what its like need."""
        gpu = slot.gpu or slot.device
        self._loads.pop(slot, None)
        self._slots[gpu].append(slot)
        self._leave(gpu)
        for shape, need in needs_of([trial]).items():
            self._needs[shape] = max(need, self._needs.get(shape) or 0)

    def reserved(self) -> Mapping[str, int | None]:
        """What is set aside on each GPU."""
        found: dict[str, int | None] = {gpu: self._set_aside(gpu) for gpu in self._slots}
        return found | ({self._probing.gpu: None} if self._probing else {})

    def close(self) -> None:
        """End a probe under way."""
        if self._probing:
            self._probing.measuring.close()
            self._probing = None

    def _measured(self, trial: Trial, shape: str) -> bool:
        """Go on with measuring a shape; whether that is done. A trial that lacks even a whole GPU needs one alone."""
        if self._probing is None:
            self._probing = self._probe(trial, shape)
            return False
        found = self._probing.measuring.result()
        if found is None:
            return False
        probing, self._probing = self._probing, None
        probing.measuring.close()
        self._leave(probing.gpu)
        self._needs[probing.shape] = int(found["need"]) if "need" in found else None
        if "need" not in found:
            self._note(f"trial {trial.number} will run alone, for its memory could not be measured: {found['lacks']}")
        return shape in self._needs

    def _probe(self, trial: Trial, shape: str) -> _Probing | None:
        """Measure on the GPU with most room; None while every one is too full."""
        rooms = self._rooms()
        empty = self._empty(rooms)
        able = [gpu for gpu, room in rooms.items() if gpu in empty or room >= ROOM_TO_PROBE]
        if not able:
            return None
        gpu = max(able, key=lambda one: (rooms[one], one))
        limit = None if gpu in empty else rooms[gpu]
        return _Probing(shape, gpu, self._prober(trial, self._slots[gpu][-1], limit))

    def _rooms(self) -> dict[str, int]:
        """The room on each GPU that has a free slot."""
        found = self._look()
        return {
            gpu: gpu_memory.room(found[gpu], self._on(gpu), self._idle.get(gpu, 0))
            for gpu, free in self._slots.items()
            if free
        }

    def _empty(self, gpus: Iterable[str]) -> set[str]:
        """The GPUs where nothing of ours runs, and what ended has had the time to give its memory back."""
        now = self._clock()
        return {gpu for gpu in gpus if not self._on(gpu) and now - self._vacated.get(gpu, -SETTLE) >= SETTLE}

    def _look(self) -> dict[str, Standing]:
        now = self._clock()
        if self._standings is None or now - self._standings[0] >= REREAD:
            self._standings = now, {gpu: self._read(gpu) or UNSEEN for gpu in self._slots}
            for gpu in self._empty(self._standings[1]):
                self._idle[gpu] = self._standings[1][gpu].used
        return self._standings[1]

    def _on(self, gpu: str) -> list[Load]:
        return [load for slot, load in self._loads.items() if (slot.gpu or slot.device) == gpu]

    def _set_aside(self, gpu: str) -> int:
        return sum(load.reserved for load in self._on(gpu))

    def _leave(self, gpu: str) -> None:
        self._vacated[gpu] = self._clock()
        self._standings = None

    def _say(self, gpu: str, need: int | None) -> None:
        """Tell how many such trials the GPU carries, whenever that is another number than was told last."""
        standing = self._look()[gpu]
        if need is None or standing is UNSEEN:
            return
        free = standing.total - self._idle.get(gpu, 0)
        told = gpu_memory.how_many(need, free, self._most[gpu]), gpu_memory.reserve(need) <= free
        if self._said.get(gpu) != told:
            self._said[gpu] = told
            self._note(gpu_memory.decision(gpu, need, free, self._most[gpu]))


def needs_of(trials: Sequence[Trial]) -> dict[str, int]:
    """What each shape of trials took of its GPU, by the attempts that ended, in bytes."""
    found: dict[str, int] = {}
    for trial in trials:
        for attempt in trial.attempts:
            if taken := attempt.facts.get("device_mb"):
                shape = gpu_memory.shape(trial.params, int(attempt.facts.get("micro_batches", 1)))
                found[shape] = max(found.get(shape, 0), round(float(taken) * 2**20))
    return found
