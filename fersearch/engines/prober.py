"""Measures what memory a trial needs, in a fresh process of the pool, while the engine goes on."""

import contextlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fersearch.engines.devices import Slot
from fersearch.engines.pool import Pool, Process
from fersearch.training.request import TrialRequest
from fersearch.trial import Trial

PATIENCE = 300.0  # seconds after which a probe is given up
UNKNOWN = {"lacks": "the probe gave no figure"}


class Probe:
    """A probe under way in a process; whatever keeps it from a figure makes the trial one of unknown need."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def result(self) -> Mapping[str, Any] | None:
        """What came out; None as long as it lasts."""
        while self._process.connection.poll(0):
            message = self._process.receive()
            if message is None:
                return UNKNOWN
            self._process.pid = message.get("pid", self._process.pid)
            if "probed" in message:
                found: dict[str, Any] = message["probed"]
                return found
        return UNKNOWN if time.monotonic() - self._process.started > PATIENCE else None

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        with contextlib.suppress(OSError):
            self._process.close()


def prober(
    pool: Pool, request: Callable[[Trial, Slot], TrialRequest], log: Callable[[Trial], Path]
) -> Callable[[Trial, Slot, int | None], Probe]:
    """What starts a probe of a trial in a slot, with at most so many bytes of its GPU; `log` takes what it says."""

    def start(trial: Trial, slot: Slot, limit: int | None) -> Probe:
        file = log(trial)
        process = pool.start(file.with_name(f"{file.stem}-probe{file.suffix}"), dict(slot.env))
        process.send({"request": request(trial, slot).to_json(), "probe": limit})
        return Probe(process)

    return start
