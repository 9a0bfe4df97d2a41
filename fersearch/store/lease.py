"""The lease of a study: the exclusive right to drive it. Its holder is identified by host, boot and start time."""

import os
import secrets
import socket
import threading
import time
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from fersearch.errors import StoreError, StoreUnavailable, StudyBusy
from fersearch.store.control import clear_state
from fersearch.store.database import Database
from fersearch.store.tables import Moment, clock, leases, studies

BEAT_SECONDS = 10.0
RETRY_SECONDS = 1.0
"""Seconds until a heartbeat that the database did not answer is tried again."""
JOIN_SECONDS = 5.0
"""Longest wait for a heartbeat that hangs on a dead connection; its thread then ends with the process."""
LAPSE_SECONDS = 60.0
"""Seconds after its last heartbeat, by the database's clock, for which a holder on another host counts as alive."""


_released_tokens: set[str] = set()
"""The tokens of leases that this process has released, though their rows may still exist."""


_PROC = Path("/proc")


class Lease:
    """A held lease. A thread sends heartbeats until it is released; `lost` is set once another process has it.

    An unavailable database does not end a lease. A holder that could not send heartbeats meanwhile learns from the
    first answer whether it still has the lease: a `Writer` checks that in each of its transactions, so that of two
    processes that both believe that they hold the lease only one ever writes. `written` counts its transactions with
    rows.
    """

    def __init__(self, database: Database, study_id: int, study_name: str, token: str) -> None:
        self.study_name = study_name
        self._database = database
        self._study_id = study_id
        self._token = token
        self._released = threading.Event()
        self.lost = False
        self.written = 0
        self._expect()
        self._thread = threading.Thread(target=self._send_heartbeats, name="fersearch-lease", daemon=True)
        self._thread.start()

    @classmethod
    def take(cls, database: Database, study_id: int, study_name: str, resume: bool = True) -> Self:
        """Acquire the lease of a study, and clear the requests to an earlier run.

        Without `resume` a pause is kept, as it may have been requested after the driver was started.

        Raises:
            StudyBusy: a living process holds it; the message names its host, pid and since when.
        """
        token = secrets.token_hex(8)
        with database.write() as connection:
            refuse_if_held(connection, study_id, study_name)
            moment = clock(connection)
            row = asdict(Holder.this()) | {"study_id": study_id, "token": token}
            connection.execute(delete(leases).where(leases.c.study_id == study_id))
            connection.execute(insert(leases).values(**row, since=moment, last_beat_at=moment))
            clear_state(connection, study_id, resume)
        return cls(database, study_id, study_name, token)

    def beat(self) -> None:
        """Send a heartbeat, and set `lost` if the lease is lost; StoreError if the database cannot be reached."""
        with self._database.write() as connection:
            changed = connection.execute(update(leases).where(*self._own()).values(last_beat_at=clock(connection)))
            self.lost = self.lost or changed.rowcount == 0

    def assert_held(self, connection: Connection, written: int = 0) -> None:
        """Lock the lease until the writing transaction of the connection ends.

        It is the holder's transaction number `written`, to be confirmed with `wrote` after the commit.

        Raises:
            StudyBusy: another process has taken it.
        """
        _lock(connection, self._study_id, shared=True)
        token = connection.execute(select(leases.c.token).where(leases.c.study_id == self._study_id)).scalar()
        if token != self._token:
            self.lost = True
            raise StudyBusy(f"study '{self.study_name}' was taken over by another driver", "this run has stopped")
        if written > self.written and self._database.file:
            connection.execute(update(leases).where(*self._own()).values(written=written))

    def wrote(self, written: int) -> None:
        """Record how many transactions with rows the holder has committed."""
        self.written = written
        self._expect()

    def release(self) -> None:
        """Release the lease; a lost lease stays with its new holder.

        If the database is unavailable, its row remains, and this process treats it as released.
        """
        if self._released.is_set():
            return
        self._released.set()
        self._thread.join(JOIN_SECONDS)
        if self._database.file:
            self._database.file.forget(self._study_id)
        _released_tokens.add(self._token)
        with self._database.write() as connection:
            connection.execute(delete(leases).where(*self._own()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.release()
        except StoreError:
            if error is None:  # else the exception being handled says more
                raise

    def _expect(self) -> None:
        if self._database.file:
            self._database.file.expect(self._study_id, self._token, self.written)

    def _own(self) -> tuple[Any, Any]:
        return leases.c.study_id == self._study_id, leases.c.token == self._token

    def _send_heartbeats(self) -> None:
        beaten, pause = time.monotonic(), BEAT_SECONDS
        while not self.lost and not self._released.wait(pause):
            try:
                self.beat()
                beaten, pause = time.monotonic(), BEAT_SECONDS
            except StoreUnavailable:
                pause = min(RETRY_SECONDS, BEAT_SECONDS)
            except StoreError:
                # After such a silence others may have taken the lease without our notice.
                self.lost = time.monotonic() - beaten > LAPSE_SECONDS


def refuse_if_held(connection: Connection, study_id: int, study_name: str) -> None:
    """Raise StudyBusy if a living process holds the study's lease.

    No process can acquire it until the writing transaction of the connection ends.
    """
    _lock(connection, study_id)
    row = connection.execute(select(leases).where(leases.c.study_id == study_id)).one_or_none()
    if row is None or has_lapsed(connection, row):
        return
    raise StudyBusy(
        f"study '{study_name}' is run by process {row.pid} on {row.host} since {row.since:%Y-%m-%d %H:%M:%S} UTC",
        f"wait for it, or stop it: fersearch study stop {study_name}",
    )


def driven_studies(connection: Connection) -> set[int]:
    """Return the ids of the studies whose lease a living process holds, as far as this host can tell."""
    return {row.study_id for row in connection.execute(select(leases)) if not has_lapsed(connection, row)}


def _lock(connection: Connection, study_id: int, shared: bool = False) -> None:
    """Lock the study's row (SQLite locks the whole database instead), before any query on its lease."""
    query = select(studies.c.id).where(studies.c.id == study_id)
    connection.execute(query.with_for_update(read=shared, key_share=shared))


def has_lapsed(connection: Connection, row: Row[Any]) -> bool:
    """Return whether the holder of a lease is dead, or silent for too long if it is on another host."""
    if row.token in _released_tokens:
        return True
    holder = Holder(**{field.name: getattr(row, field.name) for field in fields(Holder)})
    if holder.is_dead():
        return True
    return holder.is_elsewhere() and _silence(connection, row.last_beat_at) > timedelta(seconds=LAPSE_SECONDS)


def _silence(connection: Connection, beaten: datetime) -> timedelta:
    """Return for how long a holder has sent no heartbeat while the server could receive it."""
    return clock(connection) - max(beaten, _server_start(connection) or beaten)


def _server_start(connection: Connection) -> datetime | None:
    """Return when the server was started; None for SQLite."""
    if connection.dialect.name != "postgresql":
        return None
    return connection.execute(select(func.pg_postmaster_start_time(type_=Moment))).scalar_one()


@dataclass(frozen=True)
class Holder:
    """A process, identified such that no later process can be mistaken for it.

    `process_started` is its start time in the system's own unit; a pid is unique only within
    its `pid_namespace` (two containers may share a host name).
    """

    host: str
    pid: int
    process_started: str
    boot_id: str
    pid_namespace: str

    @classmethod
    def this(cls) -> Self:
        """Return this process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _started(pid) or "", _boot_id(), _pid_namespace())

    def is_dead(self) -> bool:
        """Return whether the process has certainly ended; False when that cannot be determined from here."""
        if self.host == socket.gethostname() and self.boot_id != _boot_id():
            return True
        return not self.is_elsewhere() and _started(self.pid) != self.process_started

    def is_elsewhere(self) -> bool:
        """Return whether the process is of another host, boot or container, so that it is invisible here."""
        here = (socket.gethostname(), _boot_id(), _pid_namespace())
        return (self.host, self.boot_id, self.pid_namespace) != here


def _started(pid: int) -> str | None:
    """Return when a process started; None if it has ended, even if its exit status is not yet collected."""
    if not (_PROC / "self").exists():
        return _started_elsewhere(pid)
    try:
        # The fields after the name, which is in brackets and may contain anything: the state, ..., the start time.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def _started_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None


def _boot_id() -> str:
    path = _PROC / "sys/kernel/random/boot_id"
    return path.read_text().strip() if path.exists() else str(int(psutil.boot_time()))


def _pid_namespace() -> str:
    path = _PROC / "self/ns/pid"
    return str(path.readlink()) if path.is_symlink() else ""
