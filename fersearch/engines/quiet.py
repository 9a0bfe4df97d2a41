"""Quiet for a trial that measures its latency: the others on its machine are paused between two steps, for a moment.

Only trials of the same driver can be paused. One that waits for its own turn is as quiet as a paused one.
"""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

PAUSE = 2.0
"""Seconds that a trial is paused at most."""
PATIENCE = 1.0
"""Seconds in which all others must have paused: one in a longer step, or before its first, lets a try fail."""
SLACK = 0.2
"""Seconds of a pause that are left for messages on their way."""
TRIES, BETWEEN = 3, 1.0
"""How often the others are asked to pause for one measurement, and the seconds between."""
OVERDUE = 5.0
"""Seconds after which nobody waits for a measurement any more."""

Send = Callable[[Mapping[str, Any]], None]


@dataclass
class _Member:
    """A running trial: how it is reached, and its node, None before that is known."""

    send: Send
    node: str | None = None


@dataclass
class _Turn:
    """A trial's wish to measure: how often it was tried, and when next."""

    number: int
    tries: int = 0
    after: float = 0.0


@dataclass
class _Measurement:
    """A measurement under way: whom it waits for, who is paused, since when, and whether it has begun."""

    turn: _Turn
    id: int
    since: float
    pending: set[int] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    begun: bool = False
    undisturbed: bool = True


def when_alone(word: Mapping[str, Any], send: Send) -> bool:
    """Answer what a trial says of quiet where no other runs; False for any other message."""
    if "quiet" in word:
        send({"quiet": PAUSE})
    elif "measured" in word:
        send({"alone": True})
    else:
        return False
    return True


class QuietTurns:
    """Gives trials quiet in turn; `clock` gives seconds.

    While `busy` no attempt is to be started. The owner passes on what trials say, and calls `look` often.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._members: dict[int, _Member] = {}
        self._turns: list[_Turn] = []
        self._now: _Measurement | None = None
        self._ids = itertools.count(1)

    @property
    def busy(self) -> bool:
        """Whether a trial is measured, or others are being paused for it."""
        return self._now is not None

    def join(self, number: int, send: Send) -> None:
        """Record a trial whose process was started."""
        self._members[number] = _Member(send)

    def settle(self, number: int, node: str) -> None:
        """Record the node that a trial runs on."""
        self._members[number].node = node

    def leave(self, number: int) -> None:
        """Forget a trial that has ended."""
        self._members.pop(number, None)
        self._turns = [turn for turn in self._turns if turn.number != number]
        if self._now and self._now.turn.number == number:
            self._end()
        elif self._now:
            self._now.asked.discard(number)
            self._is_quiet(number)

    def hear(self, number: int, word: Mapping[str, Any]) -> bool:
        """Take in what a trial says of quiet; False for any other message."""
        if "quiet" in word:
            self._turns.append(_Turn(number))
            self._is_quiet(number)
        elif "paused" in word:
            self._is_quiet(number, word["paused"])
        elif "resumed" in word:
            self._is_loud(number, word["resumed"])
        elif "measured" in word:
            self._measured(number)
        else:
            return False
        self.look()
        return True

    def look(self) -> None:
        """Begin the next measurement if it is time, or end one for which the others did not pause."""
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
        self._go_if_quiet()

    def _is_quiet(self, number: int, of: int | None = None) -> None:
        """Note that a trial is paused, or waits for its own turn; what is said of an earlier pause is late."""
        if self._now and of in (None, self._now.id):
            self._now.pending.discard(number)
            self._go_if_quiet()

    def _go_if_quiet(self) -> None:
        if (now := self._now) and not now.begun and not now.pending:
            now.begun = True
            left = PAUSE - SLACK - (self._clock() - now.since)
            self._members[now.turn.number].send({"quiet": left if now.asked else PAUSE})

    def _is_loud(self, number: int, of: int) -> None:
        """Note that a paused trial goes on by itself, unless it waits for its own turn."""
        if (now := self._now) and of == now.id and all(turn.number != number for turn in self._turns):
            now.undisturbed = False

    def _measured(self, number: int) -> None:
        """Tell a trial whether what it measured was alone, and let the others go on."""
        now = self._now if self._now and self._now.turn.number == number else None
        in_time = now is not None and (not now.asked or self._clock() - now.since <= PAUSE)
        self._members[number].send({"alone": in_time and now is not None and now.undisturbed})
        if now:
            self._end()

    def _failed(self, now: _Measurement) -> None:
        """Try again later, or give a trial up."""
        self._end()
        turn = _Turn(now.turn.number, now.turn.tries + 1, self._clock() + BETWEEN)
        if turn.tries < TRIES:
            self._turns.append(turn)
        else:
            self._members[turn.number].send({"quiet": 0})

    def _end(self) -> None:
        now, self._now = self._now, None
        for number in sorted(now.asked if now else ()):
            self._members[number].send({"resume": True})
