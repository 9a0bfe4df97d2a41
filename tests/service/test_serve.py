"""`fersearch serve` as a process: it runs what is sent, is killed, found again, and ends so that nothing is lost."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.studies import SETTINGS, SIZES

COMMAND = (sys.executable, "-c", "from fersearch.cli import main; main()")
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


class Served:
    """A service in a process of its own, and a client that signed in by its link."""

    def __init__(self, home: Path) -> None:
        self.env = {**os.environ, "FERSEARCH_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self.log = home / f"serve-{time.monotonic_ns()}.log"
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("w") as log:
            arguments = (*COMMAND, "serve", "--port", "0", "--slots", "2")
            self.process = subprocess.Popen(arguments, env=self.env, stdout=log, stderr=log)
        link = wait_for(lambda: re.search(r"sign in: (http\S+)/\?token=(\S+)", self.log.read_text()))
        self.client = httpx.Client(base_url=link[1], follow_redirects=True, timeout=60)
        self.client.get(f"/?token={link[2]}")

    def get(self, path: str) -> httpx.Response:
        answer = self.client.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer

    def kill(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(90)


def wait_for(found: Callable[[], object], seconds: float = 120) -> object:
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.2)
    return result


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "served"
    yield home
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("FERSEARCH_HOME") == str(home):
                process.kill()


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
