"""Nodes that share no folder: what another node needs to go on is at the URL of the artifacts."""

import psutil
import pytest

from tests.faults.conftest import Home
from tests.faults.test_kills import sound, values

pytestmark = [pytest.mark.slow, pytest.mark.long]
SETTINGS = {"learning_rate": "0.01", "batch_size": "64"}
EPOCHS = 20  # of two seconds each: a state is saved after half a minute


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    """A head without CPUs and two nodes of one CPU, each with a home of its own."""
    from ray.cluster_utils import Cluster

    from fersearch.engines.ray.cluster import QUIET

    for name, value in {**QUIET, "SLOW_SECONDS": "1"}.items():
        monkeypatch.setenv(name, value)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for name in ("one", "two"):
        cluster.add_node(num_cpus=1, env_vars={"FERSEARCH_HOME": str(tmp_path / name)})
    yield cluster
    cluster.shutdown()


def test_a_trial_goes_on_where_a_lost_node_pushed_it(home: Home, cluster, tmp_path, undisturbed):
    home.create(trials=1, epochs=EPOCHS, **SETTINGS)
    shared = tmp_path / "shared"
    place = ("--artifacts", shared.as_uri())
    driver = home.start(
        *("study", "run", "s", "--engine", "ray", "--slots", "1", "--ray-address", cluster.address), *place
    )
    (state,) = home.until(lambda: list(shared.glob("runs/*/0/last.pt")), seconds=240)
    first_saved = state.stat().st_mtime_ns  # after the first second; the next after half a minute
    home.until(lambda: state.exists() and state.stat().st_mtime_ns != first_saved, seconds=240)
    states = {name: list((tmp_path / name).glob("runs/*/0/last.pt")) for name in ("one", "two")}
    assert sorted(map(len, states.values())) == [0, 1]
    assert not list((home.folder / "home" / "runs").glob("*/*/*"))
    raylet = psutil.Process(home.running_pids()[0]).parent().parent().parent()
    assert raylet.name() == "raylet"
    for process in [raylet, *raylet.children(recursive=True)]:
        process.kill()
    out, err = driver.communicate(timeout=240)
    assert driver.returncode == 0, out + err
    sound(trials := home.trials(), 1, EPOCHS)
    first, second = trials[0]["attempts"]
    assert (first["reason"], first["facts"]["lost"], second["reason"]) == ("interrupted", "node", "done")
    assert second["first_epoch"] > 10
    assert values(trials) == values(undisturbed(1, EPOCHS, **SETTINGS))
    home.env["FERSEARCH_ARTIFACTS"] = shared.as_uri()
    assert home.run("checkpoint", "pull", "s").returncode == 0
    digest = trials[0]["checkpoint"]
    checkpoint, mark = sorted(path for path in shared.rglob("*") if path.is_file())
    assert (checkpoint, mark.parent) == (shared / digest, shared / "owners" / digest)


def test_nodes_that_share_nothing_are_refused_at_start(home: Home, cluster, tmp_path):
    home.create(trials=1, epochs=1)
    place = ("--artifacts", "memory://nowhere")  # each process has one of its own
    driver = home.start("study", "run", "s", "--engine", "ray", "--ray-address", cluster.address, *place)
    _, err = driver.communicate(timeout=240)
    assert driver.returncode == 1
    assert "memory://nowhere is not shared with node" in err
    assert "--artifacts s3://" in err
