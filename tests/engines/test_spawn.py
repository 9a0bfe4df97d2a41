"""Where nothing can be forked (macOS), trial processes are started from nothing: the same, tried here for real."""

import os
import signal
import sys
from pathlib import Path

import pytest

from fersearch import api
from fersearch.engines import processes as pools
from fersearch.engines.processes import Pool
from tests.processes import gone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are handed sockets, as on POSIX")


@pytest.fixture
def spawning(monkeypatch):
    monkeypatch.setattr(pools, "FORKS", False)
    pool = Pool(())
    yield pool
    pool.close()


def begin(pool, log):
    process = pool.start(log, {})
    assert process.receive() == {"pid": process.pid}
    return process


def test_a_spawned_process_has_its_own_group_and_its_log(spawning, tmp_path):
    process = begin(spawning, tmp_path / "log")
    assert os.getpgid(process.pid) == process.pid
    assert spawning.server_pid is None
    process.send({"request": {"nonsense": True}})
    while process.receive() is not None:
        pass
    assert spawning.exit_status(process) == 1
    assert "KeyError" in (tmp_path / "log").read_text()


def test_how_a_killed_one_ended_is_known(spawning, tmp_path):
    process = begin(spawning, tmp_path / "log")
    os.kill(process.pid, signal.SIGKILL)
    assert process.receive() is None
    assert spawning.exit_status(process) == -signal.SIGKILL


def test_what_still_runs_ends_with_the_pool(spawning, tmp_path):
    process = begin(spawning, tmp_path / "log")
    spawning.close()
    assert gone(process.pid)


def test_a_spawned_process_leaves_when_the_driver_lets_go(spawning, tmp_path):
    process = begin(spawning, tmp_path / "log")
    process.close()
    assert gone(process.pid, seconds=30)


def test_a_study_runs_to_its_end_without_a_fork(tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "FORKS", False)
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    sizes = {"train": "80", "valid": "40", "test": "40"}
    api.create_study("cnn", "faces", name="spawned", trials=1, epochs="1", dataset_options=sizes)
    assert api.run_study("spawned", slots=1).counts == {"complete": 1}
    (trial,) = api.list_trials("spawned")
    assert trial.attempts[0].facts["most_neighbours"] == 0
    assert trial.attempts[0].pid != os.getpid()
    assert Path(trial.attempts[0].log).exists()
