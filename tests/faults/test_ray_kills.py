"""Nodes, actors and drivers of a Ray cluster die, and nothing is lost."""

import contextlib
import os
import signal
import time

import psutil
import pytest

from tests.faults.conftest import Home, interrupt
from tests.faults.test_kills import sound, values
from tests.faults.test_preemption import MANY_STEPS, SLOW, ends, everything

pytestmark = pytest.mark.slow(seconds=150)
RAY = ("study", "run", "s", "--engine", "ray", "--slots", "2")
AGENTS = ("DashboardAgent", "RuntimeEnvAgent")  # Ray's own, which leave a minute after their raylet
OF_RAY = ("raylet", "gcs_server", "ray::")


@pytest.fixture(scope="module")
def cluster():
    """A head without CPUs and two nodes of one CPU each, all on this machine; a test may kill one, and is the last."""
    from ray.cluster_utils import Cluster

    from fersearch.engines.ray.cluster import QUIET

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**QUIET, "SLOW_SECONDS": "0.4", "RAY_health_check_period_ms": "1000"}.items():
            patch.setenv(name, value)
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()


def test_a_killed_actor_runs_again_and_the_study_ends_as_the_local_one(home: Home, cluster, undisturbed):
    home.create(trials=3, epochs=6)
    driver = home.fork(*RAY, "--ray-address", cluster.address, "--json")
    psutil.Process(home.until(home.running_pids, seconds=180)[0]).parent().parent().kill()
    out, err = driver.communicate(timeout=240)
    assert driver.returncode == 0, out + err
    assert out.startswith("{")
    sound(home.trials(), 3, 6)
    assert values(home.trials()) == values(undisturbed(3, 6))


def test_a_killed_node_loses_no_trial(home: Home, cluster):
    home.create(trials=3, epochs=6)
    driver = home.fork(*RAY, "--ray-address", cluster.address)
    pid = home.until(home.running_pids, seconds=180)[0]
    raylet = psutil.Process(pid).parent().parent().parent()
    assert raylet.name() == "raylet"
    for process in [raylet, *raylet.children(recursive=True)]:
        process.kill()
    out, err = driver.communicate(timeout=240)
    assert driver.returncode == 0, out + err
    trials = home.trials()
    sound(trials, 3, 6)
    ended = {(attempt["reason"], attempt["facts"].get("lost")) for trial in trials for attempt in trial["attempts"]}
    assert ("interrupted", "node") in ended
    assert "Traceback" not in err


def test_ctrl_c_saves_what_runs_and_ray_is_gone(home: Home):
    home.create(trials=3, epochs=6)
    driver = home.fork(*RAY[:-1], "1", SLOW_SECONDS="0.4")
    home.until(home.running_pids, seconds=180)
    started = descendants(driver.pid)
    assert any(name.startswith(OF_RAY) for _, name in started)
    interrupt(driver)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert "fersearch study run s" in err
    assert "Traceback" not in err
    home.until(lambda: home.gone([pid for pid, _ in started]), seconds=10)
    first = home.trials()[0]
    assert (first["state"], first["reason"]) == ("waiting", "interrupted")
    assert home.run("study", "run", "s").returncode == 0
    sound(home.trials(), 3, 6)


@pytest.mark.long
def test_sigterm_to_the_whole_job_saves_in_the_middle_of_an_epoch_and_ray_is_gone(home: Home):
    home.create(trials=2, epochs=3, **MANY_STEPS)
    driver = home.fork(*RAY, "--grace", "60s", **SLOW)
    home.until(home.running_pids, seconds=180)
    time.sleep(1.5)
    started = everything(driver.pid)
    for pid in started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    _, err = driver.communicate(timeout=120)
    assert driver.returncode == 130, err
    assert "fersearch study run s" in err
    assert "Traceback" not in err
    attempts = [attempt for trial in ends(home) for attempt in trial]
    assert {reason for reason, _ in attempts} == {"preempted"}
    assert "saved inside epoch 2" in [message for _, message in attempts]
    home.until(lambda: home.gone(started), seconds=10)
    assert home.run("study", "run", "s").returncode == 0
    sound(home.trials(), 2, 3)


def test_a_killed_driver_leaves_nothing_running(home: Home):
    home.create(trials=2, epochs=6)
    driver = home.fork(*RAY, SLOW_SECONDS="0.4")
    home.until(home.running_pids, seconds=180)
    started = [(pid, name) for pid, name in descendants(driver.pid) if not name.endswith(AGENTS)]
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    home.until(lambda: home.gone([pid for pid, _ in started]), seconds=30)
    again = home.fork(*RAY[:-1], "1")
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, out + err
    sound(home.trials(), 2, 6)


def descendants(pid: int) -> list[tuple[int, str]]:
    """The processes that a process and its own have started, with their names."""
    time.sleep(0.1)
    return [(process.pid, process.name()) for process in psutil.Process(pid).children(recursive=True)]
