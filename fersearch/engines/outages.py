"""Handling of a full disk and an unavailable database during a run: wait, continue, or stop after too long."""

import math
import platform
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

from fersearch.engines.shutdown import Level, Stop
from fersearch.errors import StoreUnavailable
from fersearch.store.writer import OUTAGE_SECONDS
from fersearch.trial import Lost

PATIENCE = 60.0  # seconds to wait for space on a full disk before a trial is tried on it again
T = TypeVar("T")
RETRY_SECONDS = 1.0


class Shortage:
    """The disk space that ended trials lacked: `note` is called once when the shortage begins."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._folder = Path()
        self._bytes = 0
        self._until = 0.0
        self._roomy = -math.inf  # time of the last message that there is room
        self._unseen = False

    def record(self, facts: Mapping[str, Any]) -> None:
        """Record the facts of an ended attempt: `lacking_disk` names a folder and how many bytes did not fit.

        Where free space cannot be seen (a quota, another node's disk), the shortage lasts for the longest wait.
        """
        lacking = facts.get("lacking_disk")
        if lacking is None:
            return
        if not self.lasts:
            self._note(f"the disk is full at {lacking['folder']}: no trial starts until there is room")
        self._folder, self._bytes = Path(lacking["folder"]), int(lacking["bytes"])
        now = time.monotonic()
        self._unseen = now - self._roomy < PATIENCE or facts.get("node", platform.node()) != platform.node()
        self._until = now + PATIENCE

    @property
    def lasts(self) -> bool:
        """Whether twice the lacking bytes are still not free; False after the longest wait."""
        if time.monotonic() >= self._until:
            return False
        if not self._unseen and self._free() > 2 * self._bytes:
            self._until, self._roomy = 0.0, time.monotonic()
        return self._until > 0

    def _free(self) -> int:
        """Return the free bytes of the folder, or of its nearest existing parent."""
        folder = next(place for place in (self._folder, *self._folder.parents) if place.exists())
        return shutil.disk_usage(folder).free


class Writer(Protocol):
    """The part of a study's writer that reports outages."""

    @property
    def outage(self) -> float:
        """Seconds since the database became unavailable; 0 while it answers."""

    @property
    def must_stop(self) -> bool:
        """Whether it has been unavailable for too long."""

    @property
    def trouble(self) -> str:
        """The database's error, as text."""


class Outages:
    """Reports outages through `note`, and requests a stop if one lasts too long, which sets `stopped`."""

    def __init__(self, note: Callable[[str], None], stop: Stop) -> None:
        self.stopped = False
        self._note = note
        self._stop = stop
        self._reported = False

    def retry(self, call: Callable[[], T]) -> T:
        """Call again while the database is unavailable and return the result; the call must be idempotent.

        Raises:
            StoreUnavailable: it was unavailable for too long, or a stop was requested meanwhile.
        """
        started = time.monotonic()
        while True:
            try:
                result = call()
            except StoreUnavailable as error:
                if self._stop.level or time.monotonic() - started > OUTAGE_SECONDS:
                    raise
                self._note_once(f"{error.message}: waiting for it")
                time.sleep(RETRY_SECONDS)
            else:
                self._reported = False
                return result

    def look(self, writer: Writer) -> None:
        """Report that the database became unavailable or returned; stop the run if it was unavailable for too long."""
        if writer.must_stop and not self.stopped:
            self.stopped = True
            self._note(
                "the database has been unreachable for too long: each running trial finishes its epoch and is saved"
            )
            self._stop.ask(Level.AFTER_EPOCH, lost=Lost.DATABASE)
        elif writer.outage:
            self._note_once(
                f"{writer.trouble}: training continues, and its results are written when the database is back"
            )
        elif self._reported:
            self._reported = False
            self._note("the database is back, and the rows that waited for it are written")

    def _note_once(self, text: str) -> None:
        if not self._reported:
            self._reported = True
            self._note(text)


def stopped(study: str) -> StoreUnavailable:
    """Return the error of a study that stopped because its database was unavailable for too long."""
    return StoreUnavailable(
        f"study '{study}' was stopped, because its database was unreachable for too long; nothing is lost",
        f"continue with: fersearch study run {study}",
    )
