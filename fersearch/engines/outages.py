"""What a run does while its disk is full or its database is away: wait, train on, or stop after too long."""

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

PATIENCE = 60.0  # seconds that a full disk is waited for, before a trial is tried on it again
T = TypeVar("T")
RETRY_SECONDS = 1.0


class Shortage:
    """What the trials that ended for lack of disk need: `note` is told once when it begins."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self._folder = Path()
        self._bytes = 0
        self._until = 0.0
        self._roomy = -math.inf  # when there was last said to be room
        self._blind = False

    def hear(self, facts: Mapping[str, Any]) -> None:
        """Take in how an attempt ended: `lacking_disk` names a folder and how many bytes it had no room for.

        Where the room that is seen from here is none (a quota, another node's disk) it is waited for without looking.
        """
        lacking = facts.get("lacking_disk")
        if lacking is None:
            return
        if not self.lasts:
            self._note(f"the disk is full at {lacking['folder']}: no trial starts until there is room")
        self._folder, self._bytes = Path(lacking["folder"]), int(lacking["bytes"])
        now = time.monotonic()
        self._blind = now - self._roomy < PATIENCE or facts.get("node", platform.node()) != platform.node()
        self._until = now + PATIENCE

    @property
    def lasts(self) -> bool:
        """Whether there is no room yet for twice what was lacking, and it has not been waited for long enough."""
        if time.monotonic() >= self._until:
            return False
        if not self._blind and self._free() > 2 * self._bytes:
            self._until, self._roomy = 0.0, time.monotonic()
        return self._until > 0

    def _free(self) -> int:
        """The bytes that are free in the folder, or in the nearest above it that there is."""
        folder = next(place for place in (self._folder, *self._folder.parents) if place.exists())
        return shutil.disk_usage(folder).free


class Writer(Protocol):
    """A study's writer, as far as an outage goes."""

    @property
    def outage(self) -> float:
        """For how many seconds the database has been away."""

    @property
    def must_stop(self) -> bool:
        """Whether that is too long."""

    @property
    def trouble(self) -> str:
        """What is wrong with the database, in words."""


class Outages:
    """Tells of outages by `note`, and asks to stop when one lasts too long; `stopped` says that it did."""

    def __init__(self, note: Callable[[str], None], stop: Stop) -> None:
        self.stopped = False
        self._note = note
        self._stop = stop
        self._told = False

    def ride_out(self, call: Callable[[], T]) -> T:
        """What the call returns, made again while the database is away: what it does twice must be as if done once.

        Raises:
            StoreUnavailable: it was away for too long, or somebody asked to stop meanwhile.
        """
        started = time.monotonic()
        while True:
            try:
                found = call()
            except StoreUnavailable as error:
                if self._stop.level or time.monotonic() - started > OUTAGE_SECONDS:
                    raise
                self._tell(f"{error.message}: waiting for it")
                time.sleep(RETRY_SECONDS)
            else:
                self._told = False
                return found

    def look(self, writer: Writer) -> None:
        """Say that the database went away or came back, and stop the run when it was away for too long."""
        if writer.must_stop and not self.stopped:
            self.stopped = True
            self._note("the database has been away for too long: each trial under way finishes its epoch and is saved")
            self._stop.ask(Level.AFTER_EPOCH, lost=Lost.DATABASE)
        elif writer.outage:
            self._tell(f"{writer.trouble}: training goes on, and what it tells is written when the database is back")
        elif self._told:
            self._told = False
            self._note("the database is back, and what waited for it is written")

    def _tell(self, text: str) -> None:
        if not self._told:
            self._told = True
            self._note(text)


def stopped(study: str) -> StoreUnavailable:
    """Why a study stopped whose database came back too late for it to go on, but in time for its last rows."""
    return StoreUnavailable(
        f"study '{study}' was stopped, for its database was away for too long; nothing is lost",
        f"go on with: fersearch study run {study}",
    )
