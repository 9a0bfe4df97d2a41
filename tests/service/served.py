"""A service in a process of its own, for tests that use it as people do."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from tests.preloaded import Forked, Preloaded

COMMAND = (sys.executable, "-c", "from fersearch.cli import main; main()")


class Served:
    """A service in a process of its own, and a client that signed in by its link.

    With `preloaded` it and its drivers are forked.
    """

    def __init__(
        self,
        home: Path,
        port: str = "0",
        slots: int = 2,
        flags: Sequence[str] = (),
        preloaded: Preloaded | None = None,
    ) -> None:
        self.home = home
        self.env = {**os.environ, "FERSEARCH_HOME": str(home), "PYTHONUNBUFFERED": "1"}
        self.log = home / f"serve-{time.monotonic_ns()}.log"
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("w") as log:
            arguments = ("serve", "--port", port, "--slots", str(slots), *flags)
            self.process: subprocess.Popen[bytes] | Forked
            if preloaded is None:
                self.process = subprocess.Popen((*COMMAND, *arguments), env=self.env, stdout=log, stderr=log)
            else:
                self.process = preloaded.start_service(arguments, self.env, log)
        link = wait_for(lambda: re.search(r"sign in: (http\S+)/\?token=(\S+)", self.log.read_text()))
        self.address, self.token = link[1], link[2]
        self.client = httpx.Client(base_url=self.address, follow_redirects=True, timeout=60)
        self.client.get(f"/?token={self.token}")

    def get(self, path: str) -> httpx.Response:
        answer = self.client.get(f"/api/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer

    def kill(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(90)


def wait_for(outcome: Callable[[], object], seconds: float = 120) -> object:
    deadline = time.monotonic() + seconds
    while not (result := outcome()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.2)
    return result


def kill_all(home: Path, preloaded: Preloaded | None = None) -> None:
    """End every process that works in a home, those that were forked with it too."""
    if preloaded is not None:
        preloaded.kill(home)
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("FERSEARCH_HOME") == str(home):
                process.kill()
