"""How trials are packed onto GPUs by their memory, and what is said of it. Pure: figures in, decisions out.

A trial's need is the bytes that it takes of its GPU: what torch reserves, and its CUDA context.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fersearch.nvml import Standing
from fersearch.recipe import OPTIMISATION, REGULARISATION
from fersearch.space import Value

MARGIN = 0.1
"""What is kept free beside a trial, as a share of its need."""

MOST = 8
"""Trials at once on one GPU, at most."""

COUNTED = ("batch_size", "optimizer", "crop", "tta")
"""The recipe's parameters that change a trial's memory by their value."""

PRESENT = ("dropout", "momentum", "ema")
"""The recipe's parameters that change it by being more than 0."""

GIGABYTE = 2**30
INDIFFERENT = ({*OPTIMISATION, *REGULARISATION, "target"}) - {*COUNTED, *PRESENT}


@dataclass(frozen=True)
class Load:
    """A running trial: what is set aside for it, in bytes, and its process once that is known."""

    reserved: int
    pid: int | None = None


def reserve(need: int) -> int:
    """What is set aside for a trial: its need with the margin."""
    return round(need * (1 + MARGIN))


def shape(params: Mapping[str, Value], micro_batches: int = 1) -> str:
    """What decides a trial's memory, as a key: trials with the same one need the same.

    Everything of the architecture counts, for only it knows what changes the network.
    """
    told: dict[str, Value] = {name: value for name, value in params.items() if name not in INDIFFERENT}
    told |= {name: bool(told[name]) for name in PRESENT if name in told}
    return json.dumps({**told, "micro_batches": micro_batches}, sort_keys=True)


def room(standing: Standing, loads: Iterable[Load], idle: int) -> int:
    """The bytes of a GPU that a further trial may take: what is free and not set aside for those that run there.

    `idle` is what was in use when none of them ran: it stands for others where the driver shows none of
    their processes, as in a container.
    """
    loads = list(loads)
    seen = [standing.processes.get(load.pid or -1, 0) for load in loads]
    if any(seen):
        unused = sum(max(0, load.reserved - used) for load, used in zip(loads, seen, strict=True))
    else:
        unused = max(0, sum(load.reserved for load in loads) - max(0, standing.used - idle))
    return max(0, standing.free - unused)


def how_many(need: int, free: int, most: int = MOST) -> int:
    """How many trials of a need run at once on a GPU with so much free memory; one is tried even if it does not fit."""
    return max(1, min(most, free // max(1, reserve(need))))


def choose(need: int | None, rooms: Mapping[str, int], empty: Iterable[str]) -> str | None:
    """The GPU with the most room on which a trial fits with its margin; None if it must wait.

    On an `empty` GPU, where nothing of ours runs or has just ended, it is tried even if it does not fit; so is a
    trial whose need is not known (None).
    """
    fitting = [gpu for gpu in rooms if need is not None and reserve(need) <= rooms[gpu]]
    return max(fitting or set(empty) & set(rooms), key=lambda gpu: (rooms[gpu], gpu), default=None)


def decision(gpu: str, need: int, free: int, most: int = MOST) -> str:
    """What was decided for a GPU with so much free memory, and why, in one line."""
    if reserve(need) > free:
        return (
            f"gpu {gpu}: a trial that needs {gigabytes(need)} does not fit into the {gigabytes(free)} that are free, "
            f"with {MARGIN:.0%} margin; it is tried alone"
        )
    count = how_many(need, free, most)
    trials = f"{count} trial{'s' if count > 1 else ''} at once"
    return f"gpu {gpu}: {trials} ({gigabytes(need)} each of {gigabytes(free)} free, {MARGIN:.0%} margin)"


def gigabytes(size: int) -> str:
    """Bytes as a person reads them: 1 GB is 2^30 bytes."""
    return f"{size / GIGABYTE:.1f} GB"
