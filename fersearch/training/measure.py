"""Costs of training: seconds, memory, size and latency (1 MB = 2**20 bytes); and a check that torch computes here."""

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from fersearch.components import Architecture, Task
from fersearch.errors import UsageError
from fersearch.space import Value
from fersearch.training.numerics import ONE_IMAGE, TWO_OR_MORE, is_one_value
from fersearch.training.on_meta import on_meta
from fersearch.training.pauses import paused

INTERVAL = 0.02  # seconds between two samples of a trial's memory


@dataclass
class Clock:
    """Wall and CPU seconds (of all threads of the process) spent inside `running`, without pauses."""

    device: torch.device
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    since: float | None = None
    paused_before: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the time of the block, including the work that it queued on the device."""
        synchronize(self.device)
        self.since, cpu, self.paused_before = time.perf_counter(), time.process_time(), paused()
        yield
        synchronize(self.device)
        self.seconds, self.since = self.passed, None
        self.cpu_seconds += time.process_time() - cpu

    @property
    def passed(self) -> float:
        """The wall seconds so far, including those of a block still running."""
        if self.since is None:
            return self.seconds
        return self.seconds + time.perf_counter() - self.since - (paused() - self.paused_before)


class PeakMemory:
    """The peak and average memory inside `watching`, in bytes above the memory at construction.

    On CUDA this is the allocator's memory, elsewhere the process's private memory. A thread samples it every 20 ms:
    `total` is the sum of `looks` samples, for the average; on CUDA the peak is the allocator's own. Create it before
    the model is built. Memory that the process has freed but not returned to the system is returned first, as
    training would reuse it unmeasured.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.peak = 0
        self.total = self.looks = 0
        self._counted = device.type == "cuda"
        _trim_heap()
        self._private = None if self._counted else _private_memory()
        self._start = self._now()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Sample memory during the block."""
        if self._counted:
            torch.cuda.reset_peak_memory_stats(self.device)
        done = threading.Event()
        thread = threading.Thread(target=self._sample, args=(done,), name="memory", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            if self._counted:
                self._keep(torch.cuda.max_memory_allocated(self.device) - self._start)

    @contextmanager
    def rehearsing(self) -> Iterator[None]:
        """Sample memory during the block, and discard the samples unless it raises an error."""
        before = self.peak, self.total, self.looks
        with self.watching():
            yield
        self.peak, self.total, self.looks = before

    def _sample(self, done: threading.Event) -> None:
        ended = False
        while not ended:
            ended = done.wait(INTERVAL)
            above = self._now() - self._start
            self.total, self.looks = self.total + above, self.looks + 1
            self._keep(above)

    def _keep(self, above: int) -> None:
        self.peak = max(self.peak, above)

    def _now(self) -> int:
        return self._private() if self._private else torch.cuda.memory_allocated(self.device)


class _Statm:
    """Private memory on Linux: resident pages minus the shared and mapped ones, read in a microsecond."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._page = os.sysconf("SC_PAGE_SIZE")

    def __call__(self) -> int:
        _, resident, shared, *_ = os.pread(self._file, 256, 0).split()
        return (int(resident) - int(shared)) * self._page

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)


class _Resident:
    """Resident memory, for systems on which private memory cannot be read."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()

    def __call__(self) -> int:
        memory = self._process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))


def _trim_heap() -> None:
    """Return freed memory to the system, where the C library is glibc."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _private_memory() -> _Statm | _Resident:
    return _Statm() if os.path.exists("/proc/self/statm") else _Resident()


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its queued work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def parameters(model: nn.Module) -> int:
    """Return the number of weights, trained and frozen."""
    return sum(weight.numel() for weight in model.parameters())


def model_bytes(model: nn.Module) -> int:
    """Return the bytes of the weights and statistics of a model."""
    return sum(tensor.nbytes for tensor in model.state_dict().values() if isinstance(tensor, torch.Tensor))


def flops(model: nn.Module, image: torch.Tensor) -> int:
    """Return the floating-point operations of one image (1, channels, size, size) through the model.

    Convolutions, matrix products and attention are counted, a multiplication and an addition as two (torch's
    FlopCounterMode); other operations are negligible beside them.
    """
    model.eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(image)
    return int(counter.get_total_flops())


@dataclass
class ModelFigures:
    """The figures that all trials of one network shape share; those that are `known` are not measured again."""

    known: dict[str, int] = field(default_factory=dict)

    def of(self, figure: str, model: nn.Module, image: torch.Tensor) -> int:
        """Return `parameters`, `model_bytes` or `flops` of a model."""
        if figure not in self.known:
            self.known[figure] = flops(model, image) if figure == "flops" else _COUNTS[figure](model)
        return self.known[figure]


_COUNTS = {"parameters": parameters, "model_bytes": model_bytes}


def refuse_single_images(architecture: Architecture, params: Mapping[str, Value], task: Task) -> None:
    """Check on the meta device that a network can learn from a batch of one image.

    Raises:
        UsageError: it has batch normalisation where an image leaves one value per channel.
    """
    from fersearch.components import trained_task

    try:
        with on_meta():
            model = architecture.build(params, trained_task(task, params)).train()
            model(torch.zeros(1, task.channels, task.image_size, task.image_size))
    except Exception as error:  # the trial reports any other problem
        if is_one_value(error):
            raise UsageError(f"{architecture.name} with batch_size=1: {ONE_IMAGE}", TWO_OR_MORE) from None


def device_name(device: torch.device) -> str:
    """Return the vendor's name of the device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return _cpu_name() if device.type == "cpu" else device.type


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        import platform

        return platform.processor() or platform.machine()


def computes() -> dict[str, Any]:
    """Multiply on every device, with an array that comes from NumPy.

    Returns `torch` (its version), `built_for` (CUDA's version, or `CPU`), `devices` (those that
    computed right, as torch names them) and `failures` (what went wrong, by device).
    """
    names = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    failures = {name: why for name in names if (why := _failure(name))}
    cuda = torch.version.cuda
    return {
        "torch": torch.__version__,
        "built_for": f"CUDA {cuda}" if cuda else "CPU",
        "devices": [name for name in names if name not in failures],
        "failures": failures,
    }


def _failure(device: str) -> str:
    """Return why a device does not compute; empty if it does."""
    try:
        ones = torch.from_numpy(np.ones((64, 64), np.float32)).to(device)
        total = float((ones @ ones).sum())
    except (RuntimeError, AssertionError) as error:
        return str(error).strip().splitlines()[0]
    return "" if total == 64.0**3 else f"a product of ones came out as {total}"
