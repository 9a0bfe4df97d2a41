"""What a run does while its database is away: wait before it starts, train on while it runs, stop after too long."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from fersearch.engines.stop import Level, Stop
from fersearch.errors import StoreUnavailable
from fersearch.store.writer import OUTAGE_SECONDS
from fersearch.trial import Lost

T = TypeVar("T")
RETRY_SECONDS = 1.0


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
