"""Quiet turns for trials that measure their latency: the others on the machine are paused between two steps.

These are the turns of one driver's trials; `machine` has those between drivers. A trial that waits for its own turn
counts as paused.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PAUSE = 2.0
"""Most seconds that a trial is paused."""
PATIENCE = 1.0
"""Seconds in which all others must have paused; a try fails if one is in a longer step, or before its first."""
SLACK = 0.2
"""Seconds of a pause that are reserved for the delivery of messages."""
TRIES, BETWEEN = 3, 1.0
"""Most tries to pause the others for one measurement, and the seconds between them."""
OVERDUE = 5.0
"""Seconds after the pause at which a measurement is given up."""

Send = Callable[[Mapping[str, Any]], None]


@dataclass
class _Member:
    """A running trial: the function that sends to it, and its node, None before that is known."""

    send: Send
    node: str | None = None


@dataclass
class _Turn:
    """A trial's request to measure: the number of tries so far, and the time of the next."""

    number: int
    tries: int = 0
    after: float = 0.0


@dataclass
class _Measurement:
    """The current measurement: trials that have not paused yet, trials asked to pause, start time, and progress."""

    turn: _Turn
    id: int
    since: float
    pending: set[int] = field(default_factory=set)
    paused: set[int] = field(default_factory=set)
    begun: bool = False
    undisturbed: bool = True


def when_alone(message: Mapping[str, Any], send: Send) -> bool:
    """Answer a trial's message about quiet where no other trial runs; return False for any other message."""
    if "quiet" in message:
        send({"quiet": PAUSE})
    elif "measured" in message:
        send({"alone": True})
    else:
        return False
    return True


class QuietTurns:
    """Quiet turns of trials, one after another; `clock` returns seconds.

    While `busy` no attempt must be started. The owner passes on the messages of trials, and calls `look` often.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._members: dict[int, _Member] = {}
        self._turns: list[_Turn] = []
        self._now: _Measurement | None = None
        self._ids = itertools.count(1)

    @property
    def busy(self) -> bool:
        """Whether a trial is measuring, or others are being paused for it."""
        return self._now is not None

    def join(self, number: int, send: Send) -> None:
        """Record a trial whose process was started."""
        self._members[number] = _Member(send)

    def settle(self, number: int, node: str) -> None:
        """Record the node that a trial runs on."""
        self._members[number].node = node

    def leave(self, number: int) -> None:
        """Remove a trial that has ended."""
        self._members.pop(number, None)
        self._turns = [turn for turn in self._turns if turn.number != number]
        if self._now and self._now.turn.number == number:
            self._end()
        elif self._now:
            self._now.paused.discard(number)
            self._mark_paused(number)

    def handle(self, number: int, message: Mapping[str, Any]) -> bool:
        """Handle a trial's message about quiet; return False for any other message."""
        if "quiet" in message:
            self._turns.append(_Turn(number))
            self._mark_paused(number)
        elif "paused" in message:
            self._mark_paused(number, message["paused"])
        elif "resumed" in message:
            self._mark_resumed(number, message["resumed"])
        elif "measured" in message:
            self._measured(number)
        else:
            return False
        self.look()
        return True

    def look(self) -> None:
        """Begin the next measurement if one is due, or end one for which the others did not pause in time."""
        now, clock = self._now, self._clock()
        if now and not now.begun and clock - now.since > PATIENCE:
            self._failed(now)
        elif now and now.begun and clock - now.since > PAUSE + OVERDUE:
            self._end()
        if self._now is None and (turn := next((turn for turn in self._turns if turn.after <= clock), None)):
            self._turns.remove(turn)
            self._begin(turn)

    def _begin(self, turn: _Turn) -> None:
        waiting, node = {other.number for other in self._turns}, self._members[turn.number].node
        others = {
            number
            for number, member in self._members.items()
            if number not in (turn.number, *waiting) and (member.node is None or member.node == node)
        }
        self._now = _Measurement(turn, next(self._ids), self._clock(), set(others), others)
        for number in sorted(others):
            self._members[number].send({"pause": PAUSE, "turn": self._now.id})
        self._start_if_quiet()

    def _mark_paused(self, number: int, of: int | None = None) -> None:
        """Record that a trial is paused, or waits for its own turn; messages about an earlier pause are ignored."""
        if self._now and of in (None, self._now.id):
            self._now.pending.discard(number)
            self._start_if_quiet()

    def _start_if_quiet(self) -> None:
        if (now := self._now) and not now.begun and not now.pending:
            now.begun = True
            remaining = PAUSE - SLACK - (self._clock() - now.since)
            self._members[now.turn.number].send({"quiet": remaining if now.paused else PAUSE})

    def _mark_resumed(self, number: int, of: int) -> None:
        """Record that a paused trial continues by itself, unless it waits for its own turn."""
        if (now := self._now) and of == now.id and all(turn.number != number for turn in self._turns):
            now.undisturbed = False

    def _measured(self, number: int) -> None:
        """Send a trial whether its measurement was undisturbed, and let the others continue."""
        now = self._now if self._now and self._now.turn.number == number else None
        in_time = now is not None and (not now.paused or self._clock() - now.since <= PAUSE)
        self._members[number].send({"alone": in_time and now is not None and now.undisturbed})
        if now:
            self._end()

    def _failed(self, now: _Measurement) -> None:
        """Schedule another try, or refuse quiet to the trial after the last one."""
        self._end()
        turn = _Turn(now.turn.number, now.turn.tries + 1, self._clock() + BETWEEN)
        if turn.tries < TRIES:
            self._turns.append(turn)
        else:
            self._members[turn.number].send({"quiet": 0})

    def _end(self) -> None:
        now, self._now = self._now, None
        for number in sorted(now.paused if now else ()):
            self._members[number].send({"resume": True})
