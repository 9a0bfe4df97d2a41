"""One trial in its own process: read a request, train, report each epoch, receive each decision.

A request with `probe` is not trained: the process only measures the memory that the trial needs.
"""

import json
import logging
import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from fersearch.engines.machine import Machine
from fersearch.engines.quiet import BETWEEN, TRIES
from fersearch.training.attempt import TrialRequest, run_trial
from fersearch.training.pauses import pausing
from fersearch.trial import Decision, Epoch, Outcome, Reason

if TYPE_CHECKING:
    from fersearch.training.latency import SteadyLatency, Take

BEAT = 1.0  # least seconds between two heartbeats


class DriverGone(BaseException):
    """The driver closed the connection, so that the result of this trial has no reader."""


class Reporter:
    """The child's side of the connection.

    On SIGTERM, or the driver's message to leave, the trial saves its state between two steps and exits. On the message
    to pause it pauses where messages are received, also between two steps, until it gets one to resume or a time-out.
    Between two steps it pauses for trials of other drivers too (`machine`).
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.preempted = False
        self.machine = Machine(before_pause=_drain)
        self._next_beat = 0.0
        self._unread: deque[dict[str, Any]] = deque()
        self._incoming = select.poll()
        self._incoming.register(connection.fileno(), select.POLLIN)
        self._outgoing = select.poll()
        self._outgoing.register(connection.fileno(), select.POLLOUT)
        signal.signal(signal.SIGTERM, self._preempt)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # the fork server blocks it for its children

    def _preempt(self, *_: object) -> None:
        self.preempted = True

    def pulse(self) -> bool:
        """Send a heartbeat about once a second; return whether the trial must save its state and exit."""
        while self._incoming.poll(0):
            self._receive()
        now = time.monotonic()
        if now >= self._next_beat:
            self._next_beat = now + BEAT
            self._beat()
        self.machine.pulse()
        return self.preempted

    def _beat(self) -> None:
        """Send a heartbeat unless that would block on an unread pipe."""
        if self._outgoing.poll(0):
            send(self.connection, {"beat": True})

    def _receive(self) -> dict[str, Any]:
        """Return the driver's next message, after carrying out one to leave or to pause."""
        if self._unread:
            return self._unread.popleft()
        message = receive(self.connection)
        self.preempted |= "leave" in message
        if "pause" in message:
            self._pause(float(message["pause"]), int(message["turn"]))
        return message

    def _pause(self, seconds: float, turn: int) -> None:
        """Pause until the driver's message to resume, at most `seconds`; other messages are kept for later."""
        _drain()
        with self.machine.aside(), pausing():
            send(self.connection, {"paused": turn})
            until = time.monotonic() + seconds
            while not self.preempted and (remaining := until - time.monotonic()) > 0:
                if not self._incoming.poll(1000 * remaining):
                    continue
                message = receive(self.connection)
                self.preempted |= "leave" in message
                if "resume" in message:
                    return
                self._unread.append(message)
        send(self.connection, {"resumed": turn})

    def quiet(self, take: "Take") -> "SteadyLatency | None":
        """Measure after all drivers have paused the other trials on this machine; None if that was too short."""
        with self.machine.aside():
            for attempt in range(TRIES):
                time.sleep(BETWEEN if attempt else 0)
                if not (seconds := self._ask({"quiet": True}, "quiet")):
                    return None
                latency = self.machine.measure(take, seconds)
                if not self._ask({"measured": True}, "alone"):
                    return None
                if latency:
                    return latency
        return None

    def _ask(self, question: dict[str, Any], key: str) -> Any:
        """Send a message and return the answer to it."""
        send(self.connection, question)
        while key not in (message := self._receive()):
            pass
        return message[key]

    def saved(self) -> None:
        """Report a saved state, unless that would block on an unread pipe."""
        if self._outgoing.poll(0):
            send(self.connection, {"saved": True})

    def report(self, epoch: Epoch) -> Decision:
        """Report an epoch and wait for the decision."""
        decision = Decision(self._ask({"epoch": epoch.to_json()}, "decision"))
        return Decision.INTERRUPT if self.preempted and decision is Decision.CONTINUE else decision

    def settle(self, rehearsal: Mapping[str, Any]) -> str:
        """Report a rehearsal and return the format that the study decides; one decided before is returned at once."""
        if "seconds" in rehearsal:
            return str(self._ask({"rehearsed": dict(rehearsal)}, "format"))
        send(self.connection, {"rehearsed": dict(rehearsal)})
        return str(rehearsal["memory_format"])

    def note(self, text: str) -> None:
        """Send a notice for the user."""
        send(self.connection, {"note": text})

    def finish(self, outcome: Outcome) -> None:
        """Report the outcome of the attempt."""
        data = outcome.to_json()
        if self.preempted and outcome.reason is Reason.INTERRUPTED:
            data["reason"] = Reason.PREEMPTED
        send(self.connection, {"outcome": data})


def main(fd: int) -> None:
    """Run the requested trial over the connection `fd`."""
    connection = Connection(fd)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    reporter = Reporter(connection)
    send(connection, {"pid": os.getpid()})
    try:
        message = receive(connection)
        request = TrialRequest.from_json(message["request"])
        if "probe" in message:
            send(connection, {"probed": measure(request, message["probe"])})
            return
        with reporter.machine:
            outcome = run_trial(
                request,
                reporter.report,
                pulse=reporter.pulse,
                notify=reporter.note,
                saved=reporter.saved,
                settle=reporter.settle,
                quiet=reporter.quiet,
            )
        reporter.finish(outcome)
    except DriverGone:
        os._exit(1)


def _drain() -> None:
    """Wait until the GPU has finished its queued work."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def measure(request: TrialRequest, limit: int | None) -> dict[str, Any]:
    """Measure the memory that the trial needs in two steps, which take at most `limit` bytes of its GPU."""
    from fersearch.training.memory import probe

    return probe(request, limit)


def send(connection: Connection, message: dict[str, Any]) -> None:
    """Send plain data as JSON; DriverGone if the connection is closed."""
    try:
        connection.send_bytes(json.dumps(message).encode())
    except OSError as error:
        raise DriverGone from error


def receive(connection: Connection) -> dict[str, Any]:
    """Wait for plain data; DriverGone if the connection is closed."""
    try:
        message: dict[str, Any] = json.loads(connection.recv_bytes())
    except (EOFError, OSError) as error:
        raise DriverGone from error
    return message


if __name__ == "__main__":
    main(int(sys.argv[1]))
