"""The available devices and their slots for trials; asks the GPU driver's library, never torch."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fersearch import accelerators
from fersearch.errors import UsageError

PerGpu = int | Literal["auto"]
CPU_INFO = Path("/proc/cpuinfo")
BF16 = {"avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX", "bf16": "Arm BF16"}
"""The kernel's names of a CPU's instructions for bf16, and their usual names."""
HIDDEN = (("CUDA_VISIBLE_DEVICES", ""),)
MPS = (("PYTORCH_ENABLE_MPS_FALLBACK", "1"),)  # operations that Apple's GPU lacks run on the CPU


@dataclass(frozen=True)
class Slot:
    """A place for one running trial: a device in torch's notation, its environment variables, and its CPU threads."""

    number: int
    device: str
    env: tuple[tuple[str, str], ...]
    threads: int

    @property
    def gpu(self) -> str | None:
        """The CUDA device as in CUDA_VISIBLE_DEVICES; None on other devices, and if it is not known yet."""
        return dict(self.env).get("CUDA_VISIBLE_DEVICES") or None

    @property
    def place(self) -> str:
        """The resource that it shares with other slots: the GPU, or the cores with their memory."""
        return f"gpu {self.gpu}" if self.gpu else self.device


def cores() -> int:
    """Return the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def slots(count: int | None = None, per_gpu: PerGpu | None = None, threads: int | None = None) -> list[Slot]:
    """Return this machine's slots: `per_gpu` (default 1) on each GPU, without a GPU as many as the cores allow.

    With `auto` each GPU has the maximum for packing. `count` limits their total. Each
    has `threads` CPU threads (default: the cores are divided among the slots; on a CPU one for each slot).

    Raises:
        UsageError: fewer than one slot or thread is requested, or slots per GPU without a GPU.
    """
    check(count, per_gpu, threads)
    devices = accelerators.gpus()
    if not devices and accelerators.has_mps():
        return _mps_slots(count, per_gpu, threads)
    if per_gpu and not devices:
        raise UsageError("--slots-per-gpu was given, but no GPU was found", "leave it out to run one trial per core")
    if not devices:
        number = count or max(1, cores() // (threads or 1))
        return [Slot(i, "cpu", HIDDEN, threads or max(1, cores() // number)) for i in range(number)]
    number = count or len(devices) * (MOST if per_gpu == "auto" else per_gpu or 1)
    each = threads or max(1, cores() // number)
    return [Slot(i, "cuda:0", _sees(devices[i % len(devices)]), each) for i in range(number)]


def check(count: int | None, per_gpu: PerGpu | None, threads: int | None) -> None:
    """Raise UsageError for options that leave no slot or no thread for a trial."""
    for flag, value in (("--slots", count), ("--slots-per-gpu", per_gpu)):
        if isinstance(value, int) and value < 1:
            raise UsageError(f"{flag} {value} leaves no slot for a trial", f"give {flag} 1 or more")
    if threads is not None and threads < 1:
        raise UsageError(
            f"--threads-per-slot {threads} leaves no thread for a trial", "give --threads-per-slot 1 or more"
        )


def thread_warning(places: list[Slot]) -> str:
    """Return a warning if the slots have more threads than this process has cores, else an empty string."""
    threads = sum(slot.threads for slot in places)
    if threads <= max(cores(), len(places)):
        return ""
    each = places[0].threads
    return f"{len(places)} slots of {each} threads share {cores()} cores: trials will wait for each other"


def fast_bf16() -> tuple[str, ...] | None:
    """Return the CPU's instructions for bf16, none if it is slow in bf16; None if unknown."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))), None)
    return None if flags is None else tuple(name for flag, name in BF16.items() if flag in flags)


def slow_bf16(precision: str, places: list[Slot]) -> str:
    """Return a warning if trials would compute in bf16 on a CPU that is slow in it, else an empty string."""
    if precision != "bf16" or all(slot.device != "cpu" for slot in places) or fast_bf16() != ():
        return ""
    return (
        "warning: this CPU has no fast bf16 (neither AVX512-BF16 nor AMX), so that steps take several times as long as "
        "in float32: a study with --precision auto takes float32 here"
    )


def _mps_slots(count: int | None, per_gpu: PerGpu | None, threads: int | None) -> list[Slot]:
    if per_gpu == "auto":
        message = "--slots-per-gpu auto needs NVIDIA's driver, which Apple's GPU does not have"
        raise UsageError(message, "give a number: --slots-per-gpu 2")
    number = count or per_gpu or 1
    return [Slot(i, "mps", MPS, threads or max(1, cores() // number)) for i in range(number)]


def _sees(gpu: str) -> tuple[tuple[str, str], ...]:
    """Return the variables that make one GPU visible, with the numbering of CUDA and the driver library the same."""
    order = (("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),) if gpu.isdigit() else ()
    return (("CUDA_VISIBLE_DEVICES", gpu), *order)


MOST = 8
"""Most trials at once on one GPU."""
