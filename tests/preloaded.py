"""Processes forked from one that has loaded what they need (`tests/forking.py`), so that each starts at once.

To a test such a process is a command in an interpreter of its own: it has a session, a pid, pipes, an exit status, and,
if it runs a study, a fork server below it. Only that first fork server is special: it is forked before the command
begins. One that replaces it is started as users' are. All test processes of a run share the one that is forked from.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

from fersearch.engines.forkserver import MESSAGE_BYTES
from fersearch.engines.processes import ONE_THREAD

ROOT = Path(__file__).parents[1]
COMMAND = "from fersearch.cli import main; main()"
ADDRESS = "TESTS_PRELOADED"
"""The variable that has the name of the socket of the process that is forked from."""


class Forked:
    """A process that runs, with what its owner needs of `subprocess.Popen`; it is not a child of this process."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._lock = connection, threading.Lock()
        self.pid = int(self._receive("pid"))
        self.returncode: int | None = None

    def __del__(self) -> None:
        self._connection.close()

    def poll(self) -> int | None:
        """Return the exit status if there is one."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once there is one; `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            with self._lock:  # another thread may wait too
                if self.returncode is None:
                    self.returncode = int(self._receive("status"))
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to a process that runs."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM to a process that runs."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to a process that runs."""
        self.send_signal(signal.SIGKILL)

    def _receive(self, name: str) -> Any:
        message = self._connection.recv(MESSAGE_BYTES)
        assert message, "the process that this one was to be forked from has ended"
        return json.loads(message)[name]


class Driver(Forked):
    """A command that runs, with its output."""

    def __init__(self, connection: socket.socket, stdout: int, stderr: int) -> None:
        self.stdout, self.stderr = os.fdopen(stdout), os.fdopen(stderr)
        super().__init__(connection)

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


class Preloaded:
    """The process that others are forked from: the first test process that needs it starts it, the last one ends it.

    `folder` is one that the test processes of a run share.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = folder / "preloaded"
        self._held: socket.socket | None = None
        self._launched: subprocess.Popen[bytes] | None = None

    def start(self, arguments: Sequence[str], folder: Path, env: Mapping[str, str], code: str = COMMAND) -> Driver:
        """Start a command that runs a study in a folder, with these variables and no others."""
        out, err = os.pipe(), os.pipe()
        order = command_order(arguments, folder, env, code, lent=True)
        try:
            return Driver(fork(self._address(), order, [out[1], err[1]]), out[0], err[0])
        finally:
            os.close(out[1])
            os.close(err[1])

    def start_service(self, arguments: Sequence[str], env: Mapping[str, str], log: IO[Any]) -> Forked:
        """Start a command whose studies are to be run by drivers that are forked too."""
        env = {**env, ADDRESS: self._address()}
        order = command_order(arguments, Path.cwd(), env, lent=False)
        return Forked(fork(self._address(), order, [log.fileno(), log.fileno()]))

    def start_child(self, code: str, env: Mapping[str, str], out: int, err: int, input: int) -> Forked:
        """Start code with its output, errors and input."""
        order = command_order((), Path.cwd(), env, code, lent=False)
        return Forked(fork(self._address(), order, [out, err, input]))

    def start_fork_server(self, control: socket.socket, env: Mapping[str, str]) -> Forked:
        """Start a fork server that serves the other end of a socket."""
        order = {"folder": str(Path.cwd()), "env": dict(env)}
        return Forked(fork(self._address(), order, [control.fileno()]))

    def kill(self, home: Path) -> None:
        """Kill every process that works in a home."""
        if self._held is not None:
            with _connected(self._address()) as connection:
                connection.send(json.dumps({"kill": str(home)}).encode())
                connection.recv(MESSAGE_BYTES)

    def end(self) -> None:
        """Let the process leave if no other test process holds it; what was forked from it and still runs goes on."""
        if self._held is not None:
            self._held.close()
        if self._launched is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._launched.wait(1.0)  # another test process may hold it

    def _address(self) -> str:
        if self._held is None:
            with self._lock.open("a+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                if not (address := file.read()) or not self._hold(address):
                    address = self._launch()
                    file.truncate(0)
                    file.write(address)
                    assert self._hold(address)
            self._name = address
        return self._name

    def _hold(self, address: str) -> bool:
        """Connect for as long as this process tests; return whether there is somebody to hold."""
        try:
            held = _connected(address)
            held.send(b'{"hold": true}')
        except OSError:
            return False
        self._held = held
        return bool(held.recv(MESSAGE_BYTES))

    def _launch(self) -> str:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("FERSEARCH_")}
        address = f"fersearch-tests-{uuid.uuid4().hex}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
            listening.bind(f"\0{address}")
            listening.listen(64)
            self._launched = subprocess.Popen(
                [sys.executable, "-m", "tests.forking", str(listening.fileno())],
                pass_fds=[listening.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=ROOT,
                env={**variables, **ONE_THREAD},
            )
        return address


def command_order(
    arguments: Sequence[str], folder: Path, env: Mapping[str, str], code: str = COMMAND, *, lent: bool
) -> dict[str, Any]:
    """Return the order for a command in a folder; `lent` for one that has its first fork server forked."""
    return {"code": code, "arguments": list(arguments), "folder": str(folder), "env": dict(env), "lent": lent}


def _connected(address: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        connection.connect(f"\0{address}")
    except OSError:
        connection.close()
        raise
    return connection


def fork(address: str, order: Mapping[str, Any], fds: Sequence[int]) -> socket.socket:
    """Order a process; return the connection on which its pid and its exit status come."""
    connection = _connected(address)
    socket.send_fds(connection, [json.dumps(order).encode()], fds)
    return connection
