"""Which devices there are, and how many trials run on each at once. Asks the driver library, never torch."""

import contextlib
import os
import sys
from dataclasses import dataclass

from fersearch.errors import UsageError


@dataclass(frozen=True)
class Slot:
    """A place for one running trial: a device as torch names it, what its process must see, and its threads."""

    number: int
    device: str
    env: tuple[tuple[str, str], ...]
    threads: int


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def gpus() -> list[str]:
    """The CUDA devices that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")] if _gpu_count() else []
    return [str(index) for index in range(_gpu_count())]


def slots(count: int | None = None, per_gpu: int | None = None) -> list[Slot]:
    """The slots of this machine: `per_gpu` (default 1) on each GPU, or one per core where there is none.

    `count` bounds how many; on a CPU the cores are shared out among them.

    Raises:
        UsageError: fewer than one slot is asked for, or slots per GPU without a GPU.
    """
    for flag, value in (("--slots", count), ("--slots-per-gpu", per_gpu)):
        if value is not None and value < 1:
            raise UsageError(f"{flag} {value} leaves no place for a trial", f"give {flag} 1 or more")
    found = gpus()
    if per_gpu and not found:
        raise UsageError("--slots-per-gpu was given, but no GPU was found", "leave it out to run one trial per core")
    if not found:
        number = count or cores()
        hidden = (("CUDA_VISIBLE_DEVICES", ""),)
        return [Slot(i, "cpu", hidden, max(1, cores() // number)) for i in range(number)]
    number = count or len(found) * (per_gpu or 1)
    threads = max(1, cores() // number)
    return [Slot(i, "cuda:0", (("CUDA_VISIBLE_DEVICES", found[i % len(found)]),), threads) for i in range(number)]


def _gpu_count() -> int:
    with contextlib.suppress(Exception):
        import pynvml

        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetCount())
        finally:
            pynvml.nvmlShutdown()
    return 0
