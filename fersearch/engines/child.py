"""One trial in its own process: reads a request, trains, tells each epoch, hears each decision."""

import json
import logging
import os
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from fersearch.training.run import TrialRequest, run_trial
from fersearch.trial import Decision, Epoch, Outcome, Reason


class DriverGone(BaseException):
    """The driver closed the connection: nobody waits for this trial any more."""


class Reporter:
    """The child's side of the connection.

    SIGTERM asks for the same as an interruption, at the end of the epoch under way.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.preempted = False
        signal.signal(signal.SIGTERM, self._preempt)

    def _preempt(self, *_: object) -> None:
        self.preempted = True

    def report(self, epoch: Epoch) -> Decision:
        """Tell an epoch and wait for the decision."""
        send(self.connection, {"epoch": asdict(epoch)})
        decision = Decision(receive(self.connection)["decision"])
        return Decision.INTERRUPT if self.preempted and decision is Decision.CONTINUE else decision

    def finish(self, outcome: Outcome) -> None:
        """Tell how the attempt ended."""
        data = asdict(outcome)
        if self.preempted and outcome.reason is Reason.INTERRUPTED:
            data["reason"] = Reason.PREEMPTED
        send(self.connection, {"outcome": data})


def main(fd: int) -> None:
    """Run the one trial that is asked for over the connection `fd`."""
    connection = Connection(fd)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    reporter = Reporter(connection)
    send(connection, {"pid": os.getpid()})
    try:
        request = TrialRequest.from_json(receive(connection)["request"])
        reporter.finish(run_trial(request, reporter.report))
    except DriverGone:
        os._exit(1)


def send(connection: Connection, message: dict[str, Any]) -> None:
    """Send plain data as JSON; DriverGone if nobody listens."""
    try:
        connection.send_bytes(json.dumps(message).encode())
    except OSError as error:
        raise DriverGone from error


def receive(connection: Connection) -> dict[str, Any]:
    """Wait for plain data; DriverGone if the other side has left."""
    try:
        message: dict[str, Any] = json.loads(connection.recv_bytes())
    except (EOFError, OSError) as error:
        raise DriverGone from error
    return message


if __name__ == "__main__":
    main(int(sys.argv[1]))
