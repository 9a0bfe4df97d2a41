"""The fork server: one thread, no CUDA, and nothing outlives whoever started it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from multiprocessing.connection import wait
from pathlib import Path

import psutil
import pytest

from fersearch.engines.processes import FORKS, Pool
from fersearch.trial import Lost
from tests.processes import gone

pytestmark = pytest.mark.skipif(not FORKS, reason="trials are forked on Linux only")
PRELOAD = ("torch", "torch._dynamo", "sklearn.metrics", "fersearch.engines.child")
ROOT = Path(__file__).parents[2]
SCRIPTED = "tests.engines._scripted"  # with which a child does not load torch


@pytest.fixture(scope="module", autouse=True)
def tests_are_found() -> Iterator[None]:
    """Let fork servers import the scripted trials, whatever folder the tests are run in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
        yield


@pytest.fixture(scope="module")
def pool():
    pool = Pool(PRELOAD)
    pool.warm_up()
    yield pool
    pool.close()


@pytest.fixture
def process(pool: Pool, tmp_path: Path):
    process = pool.start(tmp_path / "log", {})
    process.pid = process.receive()["pid"]
    yield process
    process.kill()
    process.close()


def test_the_server_has_one_thread(pool, process):
    assert psutil.Process(pool.server_pid).num_threads() == 1
    assert not pool.failed_preloads


def test_a_child_is_a_child_of_the_server_in_its_own_group(pool, process):
    assert psutil.Process(process.pid).ppid() == pool.server_pid
    assert os.getpgid(process.pid) == process.pid


def test_a_ready_child_keeps_under_40_mb_to_itself(process):
    status = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    private = sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("Private_"))
    assert private / 1024 < 40


def test_the_end_of_a_killed_child_is_reported(pool, process):
    os.kill(process.pid, signal.SIGKILL)
    assert process.receive() is None
    assert pool.exit_status(process) == -signal.SIGKILL
    assert pool.lost(process) is None


def test_a_child_ignores_ctrl_c(process):
    os.kill(process.pid, signal.SIGINT)
    assert not wait([process.connection], timeout=0.2)
    assert psutil.Process(process.pid).is_running()


def test_a_child_leaves_when_the_driver_lets_go(process):
    process.close()
    assert gone(process.pid)


def test_children_go_with_a_killed_server_and_the_pool_starts_another(tmp_path):
    pool = Pool((SCRIPTED,))
    try:
        first = pool.start(tmp_path / "first", {})
        first.pid = first.receive()["pid"]
        old = pool.server_pid
        os.kill(old, signal.SIGKILL)
        assert gone(first.pid)
        assert pool.exit_status(first) is None
        assert pool.lost(first) is Lost.SERVER
        second = pool.start(tmp_path / "second", {})
        second.pid = second.receive()["pid"]
        assert pool.server_pid != old
        assert (pool.lost(first), pool.lost(second)) == (Lost.SERVER, None)
        pool.close()
        assert pool.lost(second) is Lost.SERVER
        second.close()
    finally:
        pool.close()


def test_no_process_outlives_a_killed_driver(tmp_path):
    code = (
        "import sys, time, json; from pathlib import Path; from fersearch.engines.processes import Pool;"
        f"pool = Pool(({SCRIPTED!r},)); process = pool.start(Path(sys.argv[1]), {{}});"
        "print(json.dumps([pool.server_pid, process.receive()['pid']]), flush=True); time.sleep(60)"
    )
    driver = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE)
    pids = json.loads(driver.stdout.readline())
    driver.kill()
    driver.wait()
    driver.stdout.close()
    assert all(gone(pid) for pid in pids)


def test_a_preload_that_fails_is_reported_and_the_server_serves_on(tmp_path):
    pool = Pool(("no_such_module", SCRIPTED))
    try:
        process = pool.start(tmp_path / "log", {})
        assert process.receive()["pid"]
        pool.exit_status(process, wait=0.05)
        assert list(pool.failed_preloads) == ["no_such_module"]
        process.close()
    finally:
        pool.close()


def test_a_childs_output_goes_to_its_log(pool, tmp_path):
    log = tmp_path / "deep" / "log"
    process = pool.start(log, {"FERSEARCH_TEST": "1"})
    process.pid = process.receive()["pid"]
    process.send({"request": {"nonsense": True}})
    while process.receive() is not None:
        pass
    assert pool.exit_status(process) == 1
    assert "KeyError" in log.read_text()
    process.close()
