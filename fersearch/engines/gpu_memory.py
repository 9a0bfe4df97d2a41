"""Packing of trials onto GPUs by their memory, and measurement of a trial's need.

A trial's need is the memory that it takes of its GPU in bytes: torch's reserved memory and the CUDA context. It is
measured in a fresh process of the pool, while the engine continues.
"""

import contextlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fersearch.engines.devices import MOST, Slot
from fersearch.engines.processes import Pool, Process
from fersearch.nvml import GpuStatus
from fersearch.recipe import OPTIMISATION, REGULARISATION
from fersearch.space import Value
from fersearch.training.request import TrialRequest
from fersearch.trial import Trial

MARGIN = 0.1
"""Memory that is kept free beside a trial, as a share of its need."""
COUNTED = ("batch_size", "optimizer", "crop", "tta")
"""The recipe's parameters that change a trial's memory by their value."""
PRESENT = ("dropout", "momentum", "ema")
"""The recipe's parameters that change it if they are more than 0."""
GIGABYTE = 2**30
WITHOUT_EFFECT = ({*OPTIMISATION, *REGULARISATION, "target"}) - {*COUNTED, *PRESENT}
PATIENCE = 300.0  # seconds after which a probe is abandoned
UNKNOWN = {"lacks": "the probe returned no value"}


@dataclass(frozen=True)
class Load:
    """A running trial: the bytes reserved for it, and its process once known."""

    reserved: int
    pid: int | None = None


def reserve(need: int) -> int:
    """Return the bytes reserved for a trial: its need with the margin."""
    return round(need * (1 + MARGIN))


def shape(params: Mapping[str, Value], micro_batches: int = 1) -> str:
    """Return the key of all that determines a trial's memory: trials with equal keys need the same.

    All parameters of the architecture count, as only it knows which of them change the network.
    """
    relevant: dict[str, Value] = {name: value for name, value in params.items() if name not in WITHOUT_EFFECT}
    relevant |= {name: bool(relevant[name]) for name in PRESENT if name in relevant}
    return json.dumps({**relevant, "micro_batches": micro_batches}, sort_keys=True)


def room(status: GpuStatus, loads: Iterable[Load], idle: int) -> int:
    """Return the bytes of a GPU that another trial may take: free, and not reserved for trials running there.

    `idle` is the memory in use when none of them ran: it counts for others where the driver shows none of
    their processes, as in a container.
    """
    loads = list(loads)
    measured = [status.processes.get(load.pid or -1, 0) for load in loads]
    if any(measured):
        unused = sum(max(0, load.reserved - used) for load, used in zip(loads, measured, strict=True))
    else:
        unused = max(0, sum(load.reserved for load in loads) - max(0, status.used - idle))
    return max(0, status.free - unused)


def how_many(need: int, free: int, most: int = MOST) -> int:
    """Return how many trials of a need fit at once on a GPU with this free memory; at least one, which is tried."""
    return max(1, min(most, free // max(1, reserve(need))))


def choose(need: int | None, rooms: Mapping[str, int], empty: Iterable[str]) -> str | None:
    """Return the GPU with the most room on which a trial fits with its margin; None if it must wait.

    On an `empty` GPU, where no trial of ours runs or has just ended, it is tried even if it does not fit; so is a
    trial whose need is unknown (None).
    """
    fitting = [gpu for gpu in rooms if need is not None and reserve(need) <= rooms[gpu]]
    return max(fitting or set(empty) & set(rooms), key=lambda gpu: (rooms[gpu], gpu), default=None)


def decision(gpu: str, need: int, free: int, most: int = MOST) -> str:
    """Return a one-line explanation of how many trials a GPU with this free memory gets."""
    if reserve(need) > free:
        return (
            f"gpu {gpu}: a trial that needs {gigabytes(need)} does not fit into the {gigabytes(free)} that are free, "
            f"with {MARGIN:.0%} margin; it runs alone"
        )
    count = how_many(need, free, most)
    trials = f"{count} trial{'s' if count > 1 else ''} at once"
    return f"gpu {gpu}: {trials} ({gigabytes(need)} each of {gigabytes(free)} free, {MARGIN:.0%} margin)"


def gigabytes(size: int) -> str:
    """Return bytes as text, where 1 GB is 2^30 bytes."""
    return f"{size / GIGABYTE:.1f} GB"


class Probe:
    """A running probe of a trial's memory; one that fails gives the trial an unknown need."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def result(self) -> Mapping[str, Any] | None:
        """Return the measurement; None while the probe runs."""
        while self._process.connection.poll(0):
            message = self._process.receive()
            if message is None:
                return UNKNOWN
            self._process.pid = message.get("pid", self._process.pid)
            if "probed" in message:
                result: dict[str, Any] = message["probed"]
                return result
        return UNKNOWN if time.monotonic() - self._process.started > PATIENCE else None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.close()


def prober(
    pool: Pool, request: Callable[[Trial, Slot], TrialRequest], log: Callable[[Trial], Path]
) -> Callable[[Trial, Slot, int | None], Probe]:
    """Return a function that starts a memory probe of a trial in a slot within a byte limit; `log` takes its output."""

    def start(trial: Trial, slot: Slot, limit: int | None) -> Probe:
        file = log(trial)
        process = pool.start(file.with_name(f"{file.stem}-probe{file.suffix}"), dict(slot.env))
        process.send({"request": request(trial, slot).to_json(), "probe": limit})
        return Probe(process)

    return start
