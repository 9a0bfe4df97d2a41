"""Drivers of studies as child processes: `fersearch study run` in a separate session."""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from fersearch.home import log_folder
from fersearch.service.observers import of_study
from fersearch.service.settings import ServiceSettings
from fersearch.store.queue import Queued

COMMAND = (sys.executable, "-c", "from fersearch.cli import main; main()")
LAST_LINES = 5


class DriverProcess:
    """The process that runs a study, which outlives the service if that is killed; `on_exit` is called as it exits."""

    def __init__(
        self, queued: Queued, slots: Sequence[int], settings: ServiceSettings, on_exit: Callable[[], None]
    ) -> None:
        self.study = queued.study
        self.log = log_folder(queued.uid) / "driver.log"
        arguments = [*COMMAND, "study", "run", queued.study, *_flags(queued, slots, settings)]
        env = {**os.environ, "FERSEARCH_OBSERVE": shlex.join(of_study(queued.observe, settings))}
        env |= {"FERSEARCH_STORAGE": settings.storage} if settings.storage else {}
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, start_new_session=True
            )
        threading.Thread(target=self._watch, args=(on_exit,), name=f"watch-{queued.study}", daemon=True).start()

    def _watch(self, on_exit: Callable[[], None]) -> None:
        self._process.wait()
        on_exit()

    @property
    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to save every trial and exit."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Wait at most so many seconds for its exit; return whether it has exited."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self.exit_code is not None

    def last_lines(self) -> str:
        """Return the last lines of its log, which say why it failed."""
        with suppress(OSError), self.log.open(errors="replace") as file:
            return "".join(deque(file, LAST_LINES)).strip()
        return ""


def _flags(queued: Queued, slots: Sequence[int], settings: ServiceSettings) -> list[str]:
    same = ("slots", "slots_per_gpu", "threads_per_slot", "engine", "ray_address")
    options = {
        **{name: getattr(settings, name) for name in same},
        **queued.options,
        "only_slots": ",".join(map(str, slots)),
    }
    flags = {f"--{name.replace('_', '-')}": value for name, value in options.items() if value is not None}
    return ["--no-resume", *(text for flag, value in flags.items() for text in (flag, str(value)))]
