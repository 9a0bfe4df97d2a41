"""What a cluster offers a trial, and what is refused before anything runs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fersearch.engines.ray import cluster
from fersearch.errors import FersearchError, UsageError


@pytest.fixture
def nodes(monkeypatch):
    """Set the nodes that live, each by what it has."""

    def have(*resources):
        result = [
            {"Resources": each, "NodeID": str(i), "NodeManagerAddress": f"h{i}"} for i, each in enumerate(resources)
        ]
        monkeypatch.setattr(cluster, "alive", lambda: result)

    return have


@pytest.mark.parametrize(
    ("have", "count", "per_gpu", "slots", "threads", "each"),
    [
        ([{"CPU": 2}, {"CPU": 4}], None, None, 6, 1, {"cpu": 1}),
        ([{"CPU": 8}], 2, None, 2, 4, {"cpu": 4}),
        ([{"CPU": 2}, {"CPU": 2}, {"CPU": 2}], 2, None, 2, 2, {"cpu": 2}),
        ([{"CPU": 2}], 4, None, 4, 1, {"cpu": 0.5}),
        ([{}, {"CPU": 8, "GPU": 2}], None, None, 2, 4, {"cpu": 4, "gpu": 1}),
        ([{"CPU": 16, "GPU": 2}], None, 4, 8, 2, {"cpu": 2, "gpu": 0.25}),
        ([{"CPU": 16, "GPU": 1}], 3, None, 3, 5, {"cpu": 5, "gpu": 0.3333}),
        ([{"CPU": 1, "GPU": 1}], None, 2, 2, 1, {"cpu": 0.5, "gpu": 0.5}),
    ],
)
def test_slots_of_a_cluster(nodes, have, count, per_gpu, slots, threads, each):
    nodes(*have)
    places, resources = cluster.places(count, per_gpu)
    assert (len(places), {place.threads for place in places}, resources) == (slots, {threads}, each)
    gpu = any(node.get("GPU") for node in have)
    assert {place.device for place in places} == {"cuda:0" if gpu else "cpu"}


@pytest.mark.parametrize(
    ("have", "count", "threads", "slots", "each"),
    [
        ([{"CPU": 4}, {"CPU": 3}], None, 2, 3, {"cpu": 2}),
        ([{"CPU": 4}], 4, 2, 4, {"cpu": 1}),
        ([{"CPU": 2}], None, 8, 1, {"cpu": 1}),
        ([{"CPU": 8, "GPU": 1}], None, 2, 1, {"cpu": 2, "gpu": 1}),
    ],
)
def test_threads_of_a_slot_on_a_cluster(nodes, have, count, threads, slots, each):
    nodes(*have)
    places, resources = cluster.places(count, None, threads)
    assert (len(places), {place.threads for place in places}, resources) == (slots, {threads}, each)


def test_slots_by_memory_are_refused_on_a_cluster(nodes):
    nodes({"CPU": 8, "GPU": 1})
    with pytest.raises(UsageError, match="--slots-per-gpu auto measures on one machine"):
        cluster.places(None, "auto")
    with pytest.raises(UsageError, match="--threads-per-slot 0"):
        cluster.places(None, None, 0)


def test_a_cluster_without_room_is_refused(nodes):
    nodes({"CPU": 2})
    with pytest.raises(UsageError, match="Ray knows no GPU"):
        cluster.places(None, 2)
    with pytest.raises(UsageError, match="--slots 0"):
        cluster.places(0, None)
    nodes({"memory": 1})
    with pytest.raises(FersearchError, match="no CPU for a trial"):
        cluster.places(None, None)


def test_a_node_that_does_not_see_the_home_is_refused(ray_here, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "_nodes_without", lambda marker, token: ["10.0.0.2"])
    with (
        pytest.raises(FersearchError, match=r"is not shared with node 10\.0\.0\.2") as caught,
        cluster.marked(tmp_path, tmp_path / "artifacts"),
    ):
        pass
    assert "FERSEARCH_HOME" in caught.value.hint
    assert "--artifacts s3://" in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_node_that_sees_the_home_may_run_trials(ray_here, tmp_path, monkeypatch):
    import ray

    class Elsewhere:
        def get_node_id(self):
            return "another"

    monkeypatch.setattr(ray, "get_runtime_context", Elsewhere)
    with cluster.marked(tmp_path, tmp_path / "artifacts") as marker:
        assert Path(marker).is_file()
        assert cluster._nodes_without(str(tmp_path / "no-such-file"), "x")
    assert not Path(marker).exists()


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "nowhere", ":6379", "127.0.0.1:1"])
def test_an_address_without_a_cluster_is_reported_at_once(address):
    code = f"from fersearch.engines.ray.cluster import joined; joined({address!r}).__enter__()"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert "fersearch.errors." in done.stderr
    assert address in done.stderr
    assert time.monotonic() - started < 30


def test_importing_the_command_line_and_the_local_engine_brings_in_no_ray():
    code = "import sys, fersearch.cli, fersearch.api, fersearch.api.run; assert 'ray' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_a_killed_driver_left_is_removed(tmp_path, monkeypatch):
    from contextlib import ExitStack

    monkeypatch.setattr(cluster.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(cluster, "LONGEST_TEMPORARY", 1000)
    old = tmp_path / "fersearch-ray-old"
    old.mkdir()
    (old / "lock").touch()
    os.utime(old, (0, 0))
    with ExitStack() as left, ExitStack() as other:
        first = cluster.temporary_folder(left)
        os.utime(first, (0, 0))
        second = cluster.temporary_folder(other)
        assert not old.exists()
        assert first.is_dir()
        assert second.is_dir()
    assert not list(tmp_path.glob("fersearch-ray-*"))


def test_a_packed_folder_travels_as_a_ray_object(ray_here, tmp_path):
    import ray

    from fersearch.engines.ray.board import Board, pack

    (tmp_path / "meta.json").write_text("{}")
    board = ray.remote(Board).options(num_cpus=0).remote()
    (first,), (second,) = ray.get([board.packed.remote(str(tmp_path)) for _ in range(2)])
    assert first == second
    assert ray.get(first) == pack(tmp_path)
    ray.kill(board)
