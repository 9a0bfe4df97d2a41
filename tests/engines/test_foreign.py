"""Other users of a GPU: who counts as one, and that each is reported once."""

import os
import subprocess
import sys

import pytest

from fersearch.engines import contention
from fersearch.engines.contention import (
    ADVICE,
    CHECK_SECONDS,
    ContentionMonitor,
    other_users,
    own_processes,
    process_name,
)
from fersearch.nvml import GpuStatus

GB = 2**30


def stand(used, processes=None, utilisation=0):
    return GpuStatus(24 * GB, 24 * GB - round(used * GB), processes or {}, utilisation)


def warnings(status, ours=(), reserved=0):
    return list(other_users("1", status, ours, reserved, {4711: "python"}.get).values())


def test_a_stranger_is_reported_with_name_and_memory():
    (line,) = warnings(stand(10.5, {4711: round(9.8 * GB), 7: GB}), ours=(7,))
    assert line == f"gpu 1 is also used by pid 4711 (python, 9.8 GB): {ADVICE}"


def test_our_own_processes_are_no_strangers():
    assert warnings(stand(3, {7: 2 * GB, 8: GB}), ours=(7, 8, 9), reserved=0) == []


def test_hidden_memory_is_reported_where_no_process_is_ours_to_see():
    assert warnings(stand(0.4)) == []
    assert warnings(GpuStatus(24 * GB, 18 * GB, {}, 0, reserved=6 * GB)) == [], "that is the driver's own"
    (line,) = warnings(stand(6.0), reserved=2 * GB)
    assert line == f"something else uses 4.0 GB of gpu 1: {ADVICE}"
    assert warnings(stand(6.0), reserved=6 * GB) == []


def test_nothing_is_concluded_where_our_own_share_is_not_known():
    assert warnings(stand(6.0), reserved=None) == []
    assert warnings(stand(6.0, {7: GB}), ours=(7,), reserved=0) == []


def test_a_gpu_that_computes_for_nobody_we_know_is_reported():
    (line,) = warnings(stand(0.1, utilisation=97))
    assert line == f"something else keeps gpu 1 busy (97 % of its time): {ADVICE}"
    assert warnings(stand(0.1, utilisation=97), reserved=GB) == []
    assert warnings(GpuStatus(24 * GB, 24 * GB, {}, None)) == []


def test_the_monitor_checks_seldom_and_reports_once(monkeypatch):
    monkeypatch.setattr(contention, "process_name", lambda pid: "")
    monkeypatch.setattr(contention, "own_processes", lambda: {1})
    looked, notes, now = [], [], [0.0]

    def read(gpu):
        looked.append(gpu)
        return None if gpu == "9" else GpuStatus(24 * GB, 20 * GB, {4711: 0})

    monitor = ContentionMonitor(["0", "9"], notes.append, dict, read, lambda: now[0])
    monitor.look()
    monitor.look()
    assert looked == ["0", "9"]
    assert notes == [f"gpu 0 is also used by pid 4711: {ADVICE}"]
    now[0] += CHECK_SECONDS
    monitor.look()
    assert len(looked) == 4
    assert len(notes) == 1


def test_without_gpus_the_driver_is_not_called():
    ContentionMonitor([], pytest.fail, dict, pytest.fail, pytest.fail).look()


def test_our_processes_are_this_one_and_its_descendants():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert {os.getpid(), child.pid} <= own_processes()
        assert "python" in process_name(child.pid)
    finally:
        child.kill()
        child.wait()
    assert process_name(child.pid) == ""
