"""GPU state from NVIDIA's driver library, without torch; empty without a driver."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GpuStatus:
    """The memory of a GPU in bytes: total, free, and by pid of each process that the driver shows.

    `reserved` is what the driver keeps for itself, 0.6 GB of an H200. A process whose share the driver does not
    report has 0. In a container the driver may show no process at all, or pids of the host. `utilisation` is in
    percent, None if it is not reported.
    """

    total: int
    free: int
    processes: Mapping[int, int]
    utilisation: int | None = None
    reserved: int = 0

    @property
    def used(self) -> int:
        """The bytes that processes use."""
        return self.total - self.free - self.reserved


@contextlib.contextmanager
def library() -> Iterator[Any]:
    """Yield the initialised driver library; its errors are left to the caller."""
    import pynvml

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def count() -> int:
    """Return the number of GPUs; 0 without a driver."""
    with contextlib.suppress(Exception), library() as nvml:
        return int(nvml.nvmlDeviceGetCount())
    return 0


def handle(nvml: Any, name: str) -> Any:
    """Return the library's handle of a GPU; `name` is its number or UUID, as in CUDA_VISIBLE_DEVICES."""
    return nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else nvml.nvmlDeviceGetHandleByUUID(name)


def status(name: str) -> GpuStatus | None:
    """Return the current use of a GPU; None if the driver does not answer."""
    with contextlib.suppress(Exception), library() as nvml:
        gpu = handle(nvml, name)
        memory = _memory(nvml, gpu)
        return GpuStatus(
            *(int(memory.total), int(memory.free), _processes(nvml, gpu), _utilisation(nvml, gpu)),
            reserved=int(getattr(memory, "reserved", 0)),
        )
    return None


def _memory(nvml: Any, gpu: Any) -> Any:
    """Return the memory of a GPU, with what the driver reserves where the driver is new enough to say it."""
    with contextlib.suppress(nvml.NVMLError):
        return nvml.nvmlDeviceGetMemoryInfo(gpu, version=nvml.nvmlMemory_v2)
    return nvml.nvmlDeviceGetMemoryInfo(gpu)


def _processes(nvml: Any, gpu: Any) -> dict[int, int]:
    """Return bytes by pid; a process that computes and draws is listed twice with one figure, and counted once."""
    bytes_by_pid: dict[int, int] = {}
    for ask in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        with contextlib.suppress(nvml.NVMLError):
            for process in ask(gpu):
                bytes_by_pid[int(process.pid)] = max(
                    bytes_by_pid.get(int(process.pid), 0), int(process.usedGpuMemory or 0)
                )
    return bytes_by_pid


def _utilisation(nvml: Any, gpu: Any) -> int | None:
    with contextlib.suppress(nvml.NVMLError):
        return int(nvml.nvmlDeviceGetUtilizationRates(gpu).gpu)
    return None
