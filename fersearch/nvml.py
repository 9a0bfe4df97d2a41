"""What NVIDIA's driver library says of the GPUs, without torch; nothing where there is no driver."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Standing:
    """Who uses a GPU at this moment: memory in bytes, in all, free, and by pid of each process that the driver shows.

    A process whose share the driver does not tell has 0. In a container the driver may show no process at all,
    or pids that mean nothing there. `utilisation` is in percent, None where it is not told.
    """

    total: int
    free: int
    processes: Mapping[int, int]
    utilisation: int | None = None

    @property
    def used(self) -> int:
        """What is not free."""
        return self.total - self.free


@contextlib.contextmanager
def library() -> Iterator[Any]:
    """The driver library, ready to be asked; whatever it raises is left to the caller."""
    import pynvml

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def count() -> int:
    """How many GPUs there are; 0 where there is no driver."""
    with contextlib.suppress(Exception), library() as nvml:
        return int(nvml.nvmlDeviceGetCount())
    return 0


def handle(nvml: Any, name: str) -> Any:
    """A GPU as the library holds it; `name` is its number or UUID, as CUDA_VISIBLE_DEVICES gives it."""
    return nvml.nvmlDeviceGetHandleByIndex(int(name)) if name.isdigit() else nvml.nvmlDeviceGetHandleByUUID(name)


def standing(name: str) -> Standing | None:
    """Who uses a GPU now; None where the driver does not answer."""
    with contextlib.suppress(Exception), library() as nvml:
        gpu = handle(nvml, name)
        memory = nvml.nvmlDeviceGetMemoryInfo(gpu)
        return Standing(int(memory.total), int(memory.free), _processes(nvml, gpu), _utilisation(nvml, gpu))
    return None


def _processes(nvml: Any, gpu: Any) -> dict[int, int]:
    """Bytes by pid; a process that computes and draws is listed twice, with the same figure."""
    found: dict[int, int] = {}
    for ask in (nvml.nvmlDeviceGetComputeRunningProcesses, nvml.nvmlDeviceGetGraphicsRunningProcesses):
        with contextlib.suppress(nvml.NVMLError):
            for process in ask(gpu):
                found[int(process.pid)] = max(found.get(int(process.pid), 0), int(process.usedGpuMemory or 0))
    return found


def _utilisation(nvml: Any, gpu: Any) -> int | None:
    with contextlib.suppress(nvml.NVMLError):
        return int(nvml.nvmlDeviceGetUtilizationRates(gpu).gpu)
    return None
