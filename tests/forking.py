"""The process that the processes of tests are forked from (`tests/preloaded.py`): `python -m tests.forking FD`.

FD is a listening socket. A connection carries one order. `{"hold": true}` keeps this process as long as the connection
lasts; it ends with the last of them. `{"kill": home}` kills what works in a home. Any other order is for a process: its
pid and, once it has ended, its exit status are the answers.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import IO, Any, NoReturn

from fersearch.engines.forkserver import MESSAGE_BYTES, main, preload
from fersearch.engines.processes import ONE_THREAD, Pool
from tests.preloaded import ADDRESS, Forked, command_order, fork

MODULES = ["torch", "torch._dynamo", "sklearn.metrics", "fersearch.engines.child", "optuna", "sqlalchemy"]
MODULES += ["fersearch.cli", "fersearch.api.studies", "fersearch.engines.driver", "fersearch.engines.local"]
MODULES += ["fersearch.service.server", "fersearch.service.drivers"]


class Forking:
    """The process that others are forked from."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self._wakeup, self._alarm = socket.socketpair()
        self._holders: set[socket.socket] = set()
        self._running: dict[int, tuple[socket.socket, str]] = {}

    def serve(self) -> None:
        """Load the modules, then fork a process for every order until no test process is left."""
        failed = preload([*MODULES, *(plugin.module for plugin in entry_points(group="fersearch"))])
        assert failed.keys().isdisjoint(MODULES), failed
        for end in (self._wakeup, self._alarm):
            end.setblocking(False)
        signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._receive()
        while self._holders:
            self._receive()

    def _receive(self) -> None:
        """Wait for an order, the end of a process or that of a test process."""
        ready = select.select([self._listening, self._wakeup, *self._holders], [], [])[0]
        if self._wakeup in ready:
            self._wakeup.recv(MESSAGE_BYTES)
            self._reap()
        if self._listening in ready:
            self._obey(self._listening.accept()[0])
        for left in self._holders.intersection(ready):
            self._holders.remove(left)
            left.close()

    def _obey(self, connection: socket.socket) -> None:
        message, fds, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 3)
        order = json.loads(message or b"{}")
        if "env" in order:
            pid = os.fork()
            if not pid:
                connection.close()
                self._become(order, fds)
            self._running[pid] = connection, order["env"].get("FERSEARCH_HOME", "")
            _tell(connection, {"pid": pid})
            for each in fds:
                os.close(each)
            return
        if "hold" in order:
            self._holders.add(connection)
        for pid, (_, home) in self._running.items():
            if home == order.get("kill"):
                os.kill(pid, signal.SIGKILL)
        _tell(connection, {"obeyed": order})
        if connection not in self._holders:
            connection.close()

    def _reap(self) -> None:
        """Report the exit status of each process that has ended."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                connection, _ = self._running.pop(ended[0])
                _tell(connection, {"status": os.waitstatus_to_exitcode(ended[1])})
                connection.close()

    def _become(self, order: dict[str, Any], fds: Sequence[int]) -> NoReturn:
        """Be what was ordered, in a session, a folder and with variables of its own."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in (self._listening, self._wakeup, self._alarm, *self._holders):
            other.close()
        for connection, _ in self._running.values():
            connection.close()
        os.setsid()
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["env"])
        if "code" in order:
            _run(order, fds)
        os.environ.update(ONE_THREAD)
        main(fds[0])
        os._exit(0)


def _tell(connection: socket.socket, message: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):  # who asked is gone
        connection.send(json.dumps(message).encode())


def _run(order: dict[str, Any], fds: Sequence[int]) -> NoReturn:
    """Run a command with its output, errors and, if there is one, input; leave with its exit status."""
    for target, end in zip((1, 2, 0), fds, strict=False):
        os.dup2(end, target)
        os.close(end)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    buffering = 1 if os.environ.get("PYTHONUNBUFFERED") else -1
    sys.stdout = open(1, "w", buffering=buffering, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.path[0] = ""
    sys.argv = ["-c", *order["arguments"]]
    if order["lent"]:
        _lend_a_server()
    if address := os.environ.get(ADDRESS):
        _lend_drivers(address)
    code = 1
    try:
        sys.modules["__main__"] = ModuleType("__main__")
        exec(order["code"], vars(sys.modules["__main__"]))
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # unloading what only the fork server needs is slow and loud


class _Child:
    """The fork server as the driver's pool expects it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.returncode = os.waitstatus_to_exitcode(ended[1])
        return self.returncode

    def wait(self, timeout: float = 60.0) -> int:
        deadline = time.monotonic() + timeout
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            time.sleep(0.01)
        return status

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)


def _lend_a_server() -> None:
    """Fork the fork server that the first pool takes, while there is one thread."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if not pid:
        ours.close()
        os.setsid()
        os.environ.update(ONE_THREAD)
        main(theirs.detach())
        os._exit(0)
    theirs.close()
    start = Pool._start_server

    def take(pool: Pool) -> None:
        Pool._start_server = start  # type: ignore[method-assign]
        pool.close()
        pool._server, pool._control = _Child(pid), ours  # type: ignore[assignment]
        ours.send(json.dumps({"preload": pool._preload}).encode())

    Pool._start_server = take  # type: ignore[method-assign]


def _lend_drivers(address: str) -> None:
    """Let the service of this process have its drivers forked."""
    from fersearch.service import drivers

    def popen(
        arguments: Sequence[str],
        *,
        stdin: int,
        stdout: IO[Any],
        stderr: IO[Any],
        env: dict[str, str],
        start_new_session: bool,
    ) -> Forked:
        assert (tuple(arguments[:3]), stdin, start_new_session) == (drivers.COMMAND, subprocess.DEVNULL, True)
        kept = {name: value for name, value in env.items() if name != ADDRESS}
        order = command_order(arguments[3:], Path.cwd(), kept, arguments[2], lent=True)
        return Forked(fork(address, order, [stdout.fileno(), stderr.fileno()]))

    drivers.subprocess = SimpleNamespace(  # type: ignore[assignment]
        Popen=popen, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
    )


if __name__ == "__main__":
    Forking(socket.socket(fileno=int(sys.argv[1]))).serve()
    os._exit(0)
