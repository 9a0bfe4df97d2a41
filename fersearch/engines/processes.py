"""Trial processes on the driver's side: start them, detect how they end, and kill those that hang."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from fersearch.errors import FersearchError
from fersearch.formatting import brief
from fersearch.run_options import HUNG_AFTER
from fersearch.trial import Lost, Outcome, Reason

ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",  # scikit-learn imports pyarrow, whose allocator starts a thread
}
UNLOADING = 10.0  # seconds that a spawned process may need to end after it has closed its connection
FORKS = sys.platform == "linux"
"""Whether trial processes are forked from a server; elsewhere each one is spawned."""
LEAST = 3.0
"""Least limit of silence in seconds, as a trial process sends a heartbeat about once a second."""
PRELOAD = 600.0
"""Least seconds allowed for a fork server to preload modules before it forks a trial."""
NAP = 1.0
"""Most seconds between two checks that count as silence; after a longer gap this process itself was suspended."""


class Process:
    """A trial process: a connection, and its pid once it was received.

    It counts as hung when it is silent for `hung_after` seconds, 0 for never. `server` is the pid of its fork
    server, None if there is none.
    """

    def __init__(self, connection: Connection, log: Path, hung_after: float = 0.0, server: int | None = None) -> None:
        self.connection = connection
        self.log = log
        self.server = server
        self.pid: int | None = None
        self.started = time.monotonic()
        self._watchdog = Watchdog(hung_after)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send plain data; a process that has ended is noticed at the next read."""
        with contextlib.suppress(OSError):
            self.connection.send_bytes(json.dumps(message).encode())
        self._watchdog.sent(message)

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, None once the process has closed its side."""
        try:
            message: dict[str, Any] = json.loads(self.connection.recv_bytes())
        except (EOFError, OSError):
            return None
        self._watchdog.received(message)
        return message

    def hung(self) -> Outcome | None:
        """Return the outcome of the attempt if the process hangs, else None; call often, after its messages were read.

        One that never sent its pid hangs with its fork server.
        """
        outcome = self._watchdog.look()
        if outcome is None or self.pid is not None:
            return outcome
        return replace(outcome, reason=Reason.INTERRUPTED, facts={"lost": Lost.SERVER.value})

    def kill(self) -> None:
        """Kill the process and all its descendants."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class Pool:
    """A pool that starts trial processes, each fresh; it restarts the fork server if that has ended.

    A process counts as hung when it is silent for `hung_after` seconds, 0 for never.
    """

    def __init__(self, preload: Sequence[str], hung_after: float = HUNG_AFTER) -> None:
        self._preload = list(preload)
        self._hung_after = hung_after
        self._server: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._exits: dict[int, int] = {}
        self._spawned: dict[int, subprocess.Popen[bytes]] = {}
        self.failed_preloads: dict[str, str] = {}

    @property
    def server_pid(self) -> int | None:
        """The fork server's pid; None while there is none."""
        return self._server.pid if self._server else None

    def warm_up(self) -> None:
        """Start the fork server, so that the first trial finds it loading or ready."""
        if FORKS and (self._server is None or self._server.poll() is not None):
            self._start_server()

    def start(self, log: Path, env: Mapping[str, str]) -> Process:
        """Start a process that waits for its request.

        Raises:
            FersearchError: the fork server cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        with theirs:
            pid = None
            if FORKS:
                self._fork(theirs, log, env)
            else:
                pid = self._spawn(theirs, log, env)
        process = Process(Connection(ours.detach()), log, self._hung_after, self.server_pid)
        process.pid = pid
        return process

    def kill(self, process: Process) -> None:
        """Kill a hanging process; if its pid was never received, its fork server hangs too and is killed."""
        process.kill()
        if process.pid is None:
            self.close()

    def exit_status(self, process: Process, wait: float = 1.0) -> int | None:
        """Return the exit code of a process that closed its connection, or minus its signal; None if unknown."""
        if spawned := self._spawned.pop(process.pid or -1, None):
            return _ended(spawned, max(wait, UNLOADING))
        deadline = time.monotonic() + wait
        while process.pid not in self._exits and self._control is not None and time.monotonic() < deadline:
            self._listen(max(0.0, deadline - time.monotonic()))
        return self._exits.pop(process.pid or -1, None)

    def lost(self, process: Process) -> Lost | None:
        """Return the loss that explains a process that ended without an exit status; None if it alone ended."""
        alone = process.server is None or (process.server == self.server_pid and self._control is not None)
        return None if alone else Lost.SERVER

    def close(self) -> None:
        """Close the server; its children and spawned processes, if any, end with it."""
        for spawned in self._spawned.values():
            if _ended(spawned, 0.0) is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(spawned.pid, signal.SIGKILL)
                spawned.wait()
        self._spawned.clear()
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            try:
                self._server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
            self._server = None

    def _fork(self, theirs: socket.socket, log: Path, env: Mapping[str, str]) -> None:
        """Request a process from the fork server; its pid comes with its first message."""
        order = json.dumps({"log": str(log), "env": dict(env)}).encode()
        for _ in range(3):
            self.warm_up()
            self._listen(0)
            if self._control is not None:
                with contextlib.suppress(OSError):
                    socket.send_fds(self._control, [order], [theirs.fileno()])
                    return
            self.close()
        raise FersearchError(
            "the process that trials are forked from cannot be started", "run it again with --in-process"
        )

    def _spawn(self, theirs: socket.socket, log: Path, env: Mapping[str, str]) -> int:
        """Spawn a process where there is no fork server; return its pid."""
        for earlier in self._spawned.values():
            earlier.poll()
        with log.open("ab") as output:
            spawned = subprocess.Popen(
                [sys.executable, "-m", "fersearch.engines.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **ONE_THREAD, **env},
                process_group=0,
            )
        self._spawned[spawned.pid] = spawned
        return spawned.pid

    def _start_server(self) -> None:
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "fersearch.engines.forkserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD},
                start_new_session=True,
            )
        self._control = ours
        ours.send(json.dumps({"preload": self._preload}).encode())

    def _listen(self, seconds: float) -> None:
        """Read the server's messages, waiting at most this long for the first one."""
        while self._control is not None:
            self._control.settimeout(seconds or 1e-6)
            try:
                message = self._control.recv(65_536)
            except (TimeoutError, BlockingIOError):
                break
            except OSError:
                message = b""
            if not message:
                self._control.close()
                self._control = None
                return
            report = json.loads(message)
            self.failed_preloads |= report.get("failed", {})
            if "exited" in report:
                self._exits[report["exited"]] = report["status"]
            seconds = 0
        if self._control is not None:
            self._control.settimeout(None)


def _ended(spawned: "subprocess.Popen[bytes]", wait: float) -> int | None:
    """Return the exit code of a process, or minus its signal; None if it still runs after `wait` seconds."""
    try:
        return spawned.wait(timeout=wait)
    except subprocess.TimeoutExpired:
        return None


class Watchdog:
    """A measure of the silence of a trial process while it is its turn to send.

    The owner of the process reports each message received from it and sent to it, and calls `look` often.
    `limit` is the longest silence in seconds, 0 for no limit.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._silent = 0.0
        self._looked = time.monotonic()
        self._begun = self._waits = False
        self._epoch = 0

    def received(self, message: Mapping[str, Any]) -> None:
        """Record a message of the process: the first is its pid; after an epoch, or a request for quiet, it waits."""
        self._silent = 0.0
        self._waits |= "quiet" in message
        self._begun |= "pid" in message
        if "epoch" in message:
            self._epoch, self._waits = message["epoch"]["number"], True

    def sent(self, message: Mapping[str, Any]) -> None:
        """Record a message to the process: its request, or the decision or quiet that it waited for."""
        if "request" in message:
            self._epoch = message["request"].get("recorded", 0)
        elif "decision" in message or "quiet" in message:
            self._silent, self._waits = 0.0, False

    def look(self) -> Outcome | None:
        """Return the outcome of the attempt if the process hangs."""
        now = time.monotonic()
        passed, self._looked = min(now - self._looked, NAP), now
        self._silent += 0.0 if self._waits else passed
        limit = self._limit if self._begun else max(self._limit, PRELOAD)
        if not self._limit or self._silent <= limit:
            return None
        place = f"after epoch {self._epoch}" if self._epoch else "in its first epoch"
        return Outcome(
            Reason.HUNG,
            f"the process sent no heartbeat for {brief(limit)}, {place if self._begun else 'before it began'}",
        )
