"""Requests to stop a study, at different levels of urgency."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import Any

from fersearch.trial import Lost


class Level(IntEnum):
    """The urgency with which running trials must exit."""

    NOT = 0
    AFTER_EPOCH = 1
    AFTER_STEP = 2
    NOW = 3


class Stop:
    """The level at which a study must stop: Ctrl-C requests the end of the epoch and then now, SIGTERM the next step.

    Schedulers may send SIGTERM more than once, which changes nothing. Another Ctrl-C after a stop now raises
    KeyboardInterrupt. `lost` is the missing resource that caused the first request, if any.
    """

    def __init__(self) -> None:
        self.level = Level.NOT
        self.by_signal = False
        self.lost: Lost | None = None

    def ask(self, level: Level, lost: Lost | None = None) -> None:
        """Request a stop at a level; a more urgent request is kept. `lost` names the resource that is missing."""
        self.lost = self.lost if self.level else lost
        self.level = max(self.level, level)

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Handle Ctrl-C and SIGTERM as requests during the block (in the main thread only)."""
        previous: dict[int, Any] = {}
        try:
            for caught, handler in ((signal.SIGINT, self._on_ctrl_c), (signal.SIGTERM, self._on_sigterm)):
                previous[caught] = signal.signal(caught, handler)
        except ValueError:
            pass
        try:
            yield self
        finally:
            for number, previous_handler in previous.items():
                signal.signal(number, previous_handler)

    def _on_ctrl_c(self, _number: int, _frame: FrameType | None) -> None:
        if self.level is Level.NOW:
            raise KeyboardInterrupt
        self.by_signal = True
        self.ask(Level.NOW if self.level else Level.AFTER_EPOCH)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self.by_signal = True
        self.ask(Level.AFTER_STEP)
