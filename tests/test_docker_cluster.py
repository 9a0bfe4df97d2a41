"""The commands of compose.yml, run on one machine: a Ray head, a worker, and the driver, on a real PostgreSQL."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from tests.postgres import Server, Unavailable

pytestmark = [pytest.mark.slow, pytest.mark.long]
DOCKER = Path(__file__).parent.parent / "docker"
SERVICES = yaml.safe_load((DOCKER / "compose.yml").read_text())["services"]
STUDY = {"STUDY": "cnn-faces"}


class Containers:
    """What compose would start, each as a process: the entrypoint with a service's own arguments and environment."""

    def __init__(self, folder: Path, storage: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.storage = folder, storage
        self.started: list[subprocess.Popen[str]] = []

    def arguments(self, service: str) -> list[str]:
        """A service's command. Other services are this machine, and the head's port is a free one."""
        command = re.sub(r"\$\{(\w+):-[^}]*\}", lambda result: STUDY[result[1]], SERVICES[service]["command"])
        return shlex.split(self._here(command))

    def env(self, service: str) -> dict[str, str]:
        """A service's environment; the token and the database are this test's own."""
        variables = {name: self._here(value) for name, value in SERVICES[service]["environment"].items()}
        own = {"RAY_AUTH_TOKEN": "0" * 64, "FERSEARCH_STORAGE": self.storage, "PGPASSWORD": "unused"}
        variables |= {name: value for name, value in own.items() if name in variables}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        home = {"HOME": str(self.folder), "FERSEARCH_HOME": str(self.folder / "home"), "PATH": programs}
        return {**os.environ, **home, **variables}

    def start(self, service: str, *arguments: str) -> subprocess.Popen[str]:
        """Start it, with other arguments than its own if there are any."""
        command = ["sh", str(DOCKER / "entrypoint.sh"), *(arguments or self.arguments(service))]
        log = (self.folder / f"{service}.log").open("w")
        process = subprocess.Popen(command, env=self.env(service), stdout=log, stderr=log, text=True)
        self.started.append(process)
        return process

    def log(self, service: str) -> str:
        return (self.folder / f"{service}.log").read_text()

    def healthy(self, service: str, seconds: float = 180) -> None:
        """Wait until its health check, as in compose, succeeds."""
        kind, *check = [self._here(word) for word in SERVICES[service]["healthcheck"]["test"]]
        assert kind == "CMD"
        deadline = time.monotonic() + seconds
        while subprocess.run(check, env=self.env(service), capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, self.log(service)
            assert self.started[-1].poll() is None, self.log(service)
            time.sleep(1)

    def close(self) -> None:
        """End every process that was started here, and what they started, Ray's own included."""
        ours = {child for each in self.started if each.poll() is None for child in _all(each.pid)}
        ours |= {process for process in psutil.process_iter() if self._is_ours(process)}
        for process in ours:
            if process.is_running():
                process.kill()
        for each in self.started:
            each.wait()

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("HOME") == str(self.folder)
        except psutil.Error:
            return False

    def _here(self, text: str) -> str:
        return text.replace("head:6379", f"127.0.0.1:{self.port}").replace("--port 6379", f"--port {self.port}")


def _all(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


@pytest.fixture
def containers(tmp_path):
    try:
        server = Server()
    except Unavailable as reason:
        pytest.skip(str(reason))
    made = Containers(tmp_path, server.create())
    yield made
    made.close()
    server.close()


def test_head_worker_and_driver_run_a_study_on_a_fresh_database(containers):
    small = [word for split in ("train", "valid", "test") for word in ("--option", f"{split}=80")]
    create = ["study", "create", "--model", "cnn", "--dataset", "faces", "--name", "cnn-faces", "--no-run"]
    made = containers.start("local", *create, "--trials", "2", "--epochs", "1", *small)
    assert made.wait(180) == 0, containers.log("local")  # the first command migrates
    containers.start("head")
    containers.healthy("head")
    containers.start("worker")
    containers.healthy("worker")
    driver = containers.start("driver")
    assert driver.wait(400) == 0, containers.log("driver")
    shown = containers.start("local", "study", "show", "cnn-faces", "--json")
    assert shown.wait(120) == 0
    assert '"complete": 2' in containers.log("local")
    assert re.search(r"ray start|Local node IP", containers.log("worker"))
