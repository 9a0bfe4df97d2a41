"""`fersearch serve` as a process: it runs what is sent, survives kills, and ends without losses."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import SETTINGS, SLOW_PLUGIN
from tests.preloaded import Preloaded
from tests.service.served import Served, kill_all, wait_for

STUDIES = ("ada", "bob", "eve")
EPOCHS = 40
BODY = {
    "model": "slow",
    "dataset": {"name": "faces", "options": dict.fromkeys(("train", "valid", "test"), "128")},
    "trials": 1,  # of which each asks for one slot
    "epochs": EPOCHS,
    "sampler": "random",
    "pruner": "none",
    "memory_format": "contiguous",
    "objectives": ["accuracy", "parameters"],
    "space": SETTINGS,
}
NAP = "2"  # seconds for a batch, of which an epoch has two: no trial ends by itself before all is seen


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preloaded: Preloaded) -> Iterator[Path]:
    """A home for services, whose studies may use a network that sleeps."""
    home, plugins = tmp_path / "served", tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "slow.py").write_text(SLOW_PLUGIN)
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(plugins))
    monkeypatch.setenv("SLOW_SECONDS", NAP)
    yield home
    kill_all(home, preloaded)


def slots_of(served: Served) -> dict[str, tuple[str, list[int]]]:
    """Return the state and the slots of each study in the queue."""
    return {entry["study"]: (entry["state"], entry["slots"]) for entry in served.get("/queue").json()["queue"]}


def events_of(served: Served, study: str) -> list[dict[str, Any]]:
    """Return the events of a study from its first one to the end of a trial."""
    events: list[dict[str, Any]] = []
    with served.client.stream("GET", "/api/v1/events", headers={"Last-Event-ID": "0.0"}) as answer:
        for line in answer.iter_lines():
            name, _, data = line.partition(": ")
            if name == "data" and (event := json.loads(data))["study"] == study:
                events.append(event)
                if event["kind"] == "ended":
                    return events
    raise AssertionError("the stream ended before the trial")


@pytest.mark.slow
def test_a_service_that_is_killed_leaves_the_drivers_of_three_studies_that_the_next_one_finds_in_their_slots(
    home: Path, monkeypatch: pytest.MonkeyPatch, preloaded: Preloaded
):
    first = Served(home, slots=3, preloaded=preloaded)
    for name in STUDIES:
        created = first.client.post("/api/v1/studies", json={**BODY, "name": name})
        assert created.status_code == 201, created.text
    for name in STUDIES:
        wait_for(lambda: [one["epochs"] for one in first.get(f"/studies/{name}/trials").json()] > [0])  # noqa: B023
    before = slots_of(first)
    assert sorted(before.values()) == [("running", [0]), ("running", [1]), ("running", [2])]
    first.kill(signal.SIGKILL)

    second = Served(home, slots=3, preloaded=preloaded)
    assert slots_of(second) == before
    refused = preloaded.start(("serve", "--port", "0"), Path.cwd(), second.env)
    assert "a service runs on this database already" in refused.communicate(60)[1]
    assert refused.returncode == 1
    for name in STUDIES[1:]:
        second.client.post(f"/api/v1/studies/{name}/stop")
    wait_for(lambda: slots_of(second) == {"ada": before["ada"]})
    assert second.kill(signal.SIGTERM) == 0
    assert "begins in slots" not in second.log.read_text(), "the drivers were found, and no other one started"

    monkeypatch.setenv("SLOW_SECONDS", "0")
    third = Served(home, slots=3)  # nothing of it is forked, for what it loads is looked at
    wait_for(lambda: third.get("/studies/ada").json()["state"] == "complete")
    wait_for(lambda: third.get("/queue").json()["queue"] == [])
    for name in STUDIES:
        attempts = third.get(f"/studies/{name}/trials/0").json()["attempts"]
        assert {one["reason"] for one in attempts} <= {"done", "interrupted", "preempted"}, name
    events = events_of(third, "ada")
    assert [one["id"] for one in events] == list(range(1, len(events) + 1))
    assert {one["data"]["epoch"] for one in events if one["kind"] == "epoch"} == set(range(1, EPOCHS + 1))
    assert "libtorch" not in Path(f"/proc/{third.process.pid}/maps").read_text()
    assert third.kill(signal.SIGINT) == 0
