"""A driver of a study as a child process: `fersearch study run` in a session of its own."""

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fersearch.home import home
from fersearch.service.settings import ServiceSettings

COMMAND = (sys.executable, "-c", "from fersearch.cli import main; main()")
LAST_LINES = 5
FLAGS = {
    "trials": "--trials",
    "timeout": "--timeout",
    "keep": "--keep",
    "hung_after": "--hung-after",
    "grace": "--grace",
}


class DriverProcess:
    """The process that runs a study, which outlives the service if that is killed."""

    def __init__(self, study: str, slots: Sequence[int], options: Mapping[str, Any], settings: ServiceSettings) -> None:
        self.study = study
        self.log = _log_file(study)
        arguments = [*COMMAND, "study", "run", study, *_flags(slots, options, settings)]
        env = {**os.environ, **({"FERSEARCH_STORAGE": settings.storage} if settings.storage else {})}
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True
            )

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Let it save every trial and leave."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Wait until it has left; return whether it has."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.exit_code is not None

    def last_words(self) -> str:
        """Return the last lines that it printed: why it failed."""
        with suppress(OSError), self.log.open(errors="replace") as file:
            return "".join(deque(file, LAST_LINES)).strip()
        return ""


def _log_file(study: str) -> Path:
    return home() / "logs" / "service" / f"{study.replace('/', '__')}.log"


def _flags(slots: Sequence[int], options: Mapping[str, Any], settings: ServiceSettings) -> list[str]:
    given = {
        "--slots": settings.slots,
        "--slots-per-gpu": settings.slots_per_gpu,
        "--threads-per-slot": settings.threads_per_slot,
        "--engine": settings.engine,
        "--ray-address": settings.ray_address,
        "--only-slots": ",".join(map(str, slots)),
        **{flag: options.get(name) for name, flag in FLAGS.items()},
    }
    return [text for flag, value in given.items() if value is not None for text in (flag, str(value))]
