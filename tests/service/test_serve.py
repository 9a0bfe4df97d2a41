"""`fersearch serve` as a process: it runs what is sent, is killed, found again, and ends so that nothing is lost."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service.served import COMMAND, Served, kill_all, wait_for
from tests.studies import SETTINGS, SIZES

BODY = {
    "model": "cnn",
    "dataset": {"name": "faces", "options": SIZES},
    "name": "sent",
    "trials": 16,
    "epochs": 2,
    "sampler": "random",
    "pruner": "none",
    "objectives": ["accuracy", "parameters"],
    "space": SETTINGS,
}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "served"
    yield home
    kill_all(home)


@pytest.mark.slow
def test_a_service_that_is_killed_leaves_drivers_that_the_next_one_finds(home: Path):
    first = Served(home)
    created = first.client.post("/api/v1/studies", json=BODY)
    assert created.status_code == 201, created.text
    wait_for(lambda: first.get("/studies/sent").json()["counts"].get("complete"))
    first.kill(signal.SIGKILL)

    second = Served(home)
    (entry,) = second.get("/queue").json()["queue"]
    assert (entry["study"], entry["state"]) == ("sent", "running")
    refused = subprocess.run((*COMMAND, "serve", "--port", "0"), env=second.env, capture_output=True, text=True)
    assert refused.returncode == 1
    assert "a service runs on this database already" in refused.stderr

    assert second.kill(signal.SIGTERM) == 0
    assert "begins in slots" not in second.log.read_text(), "the driver was found, and no other one started"
    third = Served(home)
    wait_for(lambda: third.get("/studies/sent").json()["state"] == "complete")
    wait_for(lambda: third.get("/queue").json()["queue"] == [])
    attempts = [third.get(f"/studies/sent/trials/{number}").json()["attempts"] for number in range(16)]
    assert {one["reason"] for each in attempts for one in each} <= {"done", "interrupted", "preempted"}
    assert third.kill(signal.SIGINT) == 0
