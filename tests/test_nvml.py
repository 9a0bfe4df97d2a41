"""Queries to NVIDIA's library, replaced by a fake; and to the real one where there is a GPU."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from fersearch import nvml


class Refused(Exception):
    """What the library raises."""


def refuse(*_):
    raise Refused


@pytest.fixture
def library(monkeypatch):
    """One GPU, `GPU-a`, of 1,000 bytes, 40 of them the driver's; processes 7 and 8 compute, 8 draws too, 9 draws."""
    one = {"closed": 0}
    fake = SimpleNamespace(
        NVMLError=Refused,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: one.update(closed=one["closed"] + 1),
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: ("index", index),
        nvmlDeviceGetHandleByUUID=lambda uuid: ("uuid", uuid),
        nvmlMemory_v2=2,
        nvmlDeviceGetMemoryInfo=_memory,
        nvmlDeviceGetComputeRunningProcesses=lambda gpu: [_process(7, 100), _process(8, None)],
        nvmlDeviceGetGraphicsRunningProcesses=lambda gpu: [_process(8, 50), _process(9, 20)],
        nvmlDeviceGetUtilizationRates=lambda gpu: SimpleNamespace(gpu=35, memory=2),
    )
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    fake.record = one
    return fake


def _memory(gpu, version=None):
    return SimpleNamespace(total=1000, free=300, used=660, reserved=40, version=version)


def _older_memory(gpu, version=None):
    if version is not None:
        raise Refused
    return SimpleNamespace(total=1000, free=300, used=700)


def _process(pid, size):
    return SimpleNamespace(pid=pid, usedGpuMemory=size)


def test_a_gpu_tells_memory_processes_and_utilisation(library):
    status = nvml.status("0")
    assert (status.total, status.free, status.reserved, status.used) == (1000, 300, 40, 660)
    assert status.processes == {7: 100, 8: 50, 9: 20}
    assert status.utilisation == 35
    assert library.record["closed"] == 1


def test_a_gpu_is_looked_up_by_number_or_uuid(library):
    assert nvml.handle(library, "3") == ("index", 3)
    assert nvml.handle(library, "GPU-a") == ("uuid", "GPU-a")


def test_an_older_driver_counts_its_own_memory_as_used(library):
    library.nvmlDeviceGetMemoryInfo = _older_memory
    status = nvml.status("0")
    assert (status.total, status.free, status.reserved, status.used) == (1000, 300, 0, 700)


def test_what_a_driver_does_not_tell_is_left_out(library):
    library.nvmlDeviceGetUtilizationRates = refuse
    library.nvmlDeviceGetComputeRunningProcesses = refuse
    status = nvml.status("0")
    assert (status.processes, status.utilisation) == ({8: 50, 9: 20}, None)
    library.nvmlDeviceGetMemoryInfo = refuse
    assert nvml.status("0") is None


def test_without_a_driver_there_is_no_gpu(library):
    assert nvml.count() == 1
    library.nvmlInit = refuse
    assert nvml.count() == 0
    assert nvml.status("0") is None


@pytest.mark.gpu
def test_a_real_gpu_tells_of_itself():
    if not nvml.count():
        pytest.skip("no NVIDIA driver here")
    look = """
import os
from fersearch import nvml
status = nvml.status("0")
print(status.free, status.total, status.used, os.getpid() in status.processes)
"""
    free, total, used, listed = subprocess.check_output([sys.executable, "-c", look], text=True).split()
    assert 0 < int(free) <= int(total)
    assert 0 <= int(used) < int(total)
    assert listed == "False", "asking the driver opens no context on the GPU"
