"""Drivers forked from a process that has loaded what they and their fork servers need, so that each starts at once.

To a test such a driver is a command in an interpreter of its own: it has a session, a pid, pipes, an exit status, and
a fork server below it. Only that first fork server is special: it is forked before the command begins. One that
replaces it is started as users' are.
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
from pathlib import Path
from typing import Any, NoReturn, TextIO

from fersearch.engines.forkserver import MESSAGE_BYTES, main, preload
from fersearch.engines.processes import ONE_THREAD, Pool

ROOT = Path(__file__).parents[2]
MODULES = ["torch", "torch._dynamo", "sklearn.metrics", "fersearch.engines.child", "optuna", "sqlalchemy"]
MODULES += ["fersearch.cli", "fersearch.api.studies", "fersearch.engines.driver", "fersearch.engines.local"]
COMMAND = "from fersearch.cli import main; main()"


class Driver:
    """A command that runs, with what a test needs of `subprocess.Popen`; it is not a child of this process."""

    def __init__(self, stdout: int, stderr: int, status: int) -> None:
        self.stdout, self.stderr, self._status = os.fdopen(stdout), os.fdopen(stderr), os.fdopen(status)
        self.pid = int(self._status.readline())
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once there is one; `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            self.returncode = int(self._status.readline())
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Return what it writes until its end; `subprocess.TimeoutExpired` after so many seconds."""
        texts: dict[TextIO, str] = {}
        readers = [
            threading.Thread(target=lambda stream=stream: texts.update({stream: stream.read()}), daemon=True)
            for stream in (self.stdout, self.stderr)
        ]
        deadline = time.monotonic() + (timeout or threading.TIMEOUT_MAX / 2)
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(deadline - time.monotonic())
            if reader.is_alive():
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        self.wait(max(1.0, deadline - time.monotonic()))
        return texts[self.stdout], texts[self.stderr]

    def terminate(self) -> None:
        """Send SIGTERM to a command that runs."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to a command that runs."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Preloaded:
    """The process that drivers are forked from, started with the first of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def start(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], code: str = COMMAND) -> Driver:
        """Start a command in a folder, with these variables and no others."""
        if self._control is None:
            self._control = self._launch()
        out, err, status = os.pipe(), os.pipe(), os.pipe()
        order = json.dumps(
            {"code": code, "arguments": list(arguments), "folder": str(folder), "env": dict(env)}
        ).encode()
        socket.send_fds(self._control, [order], [out[1], err[1], status[1]])
        for _, end in (out, err, status):
            os.close(end)
        return Driver(out[0], err[0], status[0])

    def end(self) -> None:
        """Let the process leave; drivers that still run go on."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait(timeout=60)

    def _launch(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        variables = {name: value for name, value in os.environ.items() if not name.startswith("FERSEARCH_")}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.preloaded", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env={**variables, **ONE_THREAD},
            )
        return ours


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


def serve(fd: int) -> None:
    """Fork a driver for every order, until the tests are over."""
    control = socket.socket(fileno=fd)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps the keepers
    failed = preload(MODULES)
    assert not failed, failed
    while True:
        message, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 3)
        if not message:
            return
        if not os.fork():
            control.close()
            _keep(json.loads(message), *fds)
        for each in fds:
            os.close(each)


def _keep(order: dict[str, Any], out: int, err: int, status: int) -> NoReturn:
    """Fork a driver, wait for it and write its pid and exit status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if not pid:
        os.close(status)
        _drive(order, out, err)
    os.close(out)
    os.close(err)
    os.write(status, f"{pid}\n".encode())
    os.write(status, f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n".encode())
    os._exit(0)


def _drive(order: dict[str, Any], out: int, err: int) -> NoReturn:
    """Run the command of a driver and leave with its exit status."""
    os.setsid()
    for target, end in ((1, out), (2, err)):
        os.dup2(end, target)
        os.close(end)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    sys.path[0] = ""
    sys.argv = ["-c", *order["arguments"]]
    _lend_a_server()
    code = 1
    try:
        exec(order["code"], {"__name__": "__main__"})
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


if __name__ == "__main__":
    serve(int(sys.argv[1]))
    os._exit(0)
