"""The disk under a service fills up while a study runs: clients get an error that says so, and nothing is lost."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import SETTINGS, SLOW_PLUGIN
from tests.preloaded import Preloaded
from tests.service.served import Served, kill_all, wait_for

pytestmark = pytest.mark.slow
STUDY = {
    "model": "slow",
    "dataset": {"name": "faces", "options": dict.fromkeys(("train", "valid", "test"), "128")},
    "name": "s",
    "trials": 3,
    "epochs": 4,
    "sampler": "random",
    "pruner": "none",
    "objectives": ["accuracy", "parameters"],
    "space": SETTINGS,
}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB of its own, which is root's to make."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip(f"no file system can be made here: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def served(small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preloaded: Preloaded) -> Iterator[Served]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "slow.py").write_text(SLOW_PLUGIN)
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(tmp_path / "plugins"))
    monkeypatch.setenv("SLOW_SECONDS", "0.3")
    served = Served(small_disk / "home", preloaded=preloaded)
    yield served
    served.kill(15)
    kill_all(small_disk / "home", preloaded)


def fill(disk: Path) -> Path:
    """Use the last byte of a file system; return the file to remove."""
    path, size = disk / "filler", 2**20
    with path.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(os.urandom(size))
            except OSError:
                size //= 2
    return path


def test_a_study_and_its_service_outlast_a_full_disk(served: Served, small_disk: Path):
    assert served.client.post("/api/v1/studies", json=STUDY).status_code == 201
    wait_for(lambda: any(one["epochs"] for one in served.get("/studies/s/trials").json()))
    filler = fill(small_disk)
    refused = served.client.put(f"/api/v1/owners/{'a' * 6000}", json={})
    assert (refused.status_code, refused.headers["content-type"]) == (507, "application/problem+json")
    assert "disk is full" in refused.json()["detail"]
    (log,) = (small_disk / "home").glob("logs/**/driver.log")
    wait_for(lambda: re.search("disk (is )?full", log.read_text()))
    assert served.get("/studies/s").json()["state"] == "running"
    filler.unlink()
    wait_for(lambda: served.get("/studies/s").json()["state"] == "complete")
    attempts = [served.get(f"/studies/s/trials/{number}").json()["attempts"] for number in range(3)]
    assert [each[-1]["reason"] for each in attempts] == ["done"] * 3
    lost = [one for each in attempts for one in each[:-1]]
    assert all(one["reason"] == "interrupted" and one["message"].startswith("disk full") for one in lost)
    assert served.client.post("/api/v1/tokens", json={"name": "ada"}).status_code == 201
    assert "Traceback" not in served.log.read_text() + log.read_text()
