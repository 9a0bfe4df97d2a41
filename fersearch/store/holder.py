"""Which process holds a lease, so that a dead one can be told from a living one."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil


@dataclass(frozen=True)
class Holder:
    """A process, named so that no later process can be taken for it.

    `process_started` is when it started, in the system's own unit; a pid means something only within
    its `pid_namespace` (two containers may share a host name).
    """

    host: str
    pid: int
    process_started: str
    boot_id: str
    pid_namespace: str

    @classmethod
    def this(cls) -> Self:
        """This process."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _started(pid) or "", _boot_id(), _pid_namespace())

    def is_dead(self) -> bool:
        """Whether the process is known to have ended; False when that cannot be told from here."""
        if self.host == socket.gethostname() and self.boot_id != _boot_id():
            return True
        return not self.is_elsewhere() and _started(self.pid) != self.process_started

    def is_elsewhere(self) -> bool:
        """Whether the process belongs to another host, boot or container, so that it cannot be seen from here."""
        here = (socket.gethostname(), _boot_id(), _pid_namespace())
        return (self.host, self.boot_id, self.pid_namespace) != here


_PROC = Path("/proc")


def _started(pid: int) -> str | None:
    """When a process started; None if it has ended, though nobody may have asked for its exit status yet."""
    if not (_PROC / "self").exists():
        return _started_elsewhere(pid)
    try:
        # The fields after the name, which stands in brackets and may hold anything: the state, ..., the start.
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
