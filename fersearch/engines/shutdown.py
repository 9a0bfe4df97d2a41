"""The request to stop a study, and how soon."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType
from typing import Any

from fersearch.trial import Lost


class Level(IntEnum):
    """How soon the trials under way are to leave."""

    NOT = 0
    AFTER_EPOCH = 1
    AFTER_STEP = 2
    NOW = 3


class Stop:
    """How soon a study is to stop: Ctrl-C asks for the end of the epoch and then for now, SIGTERM for the next step.

    Schedulers may send SIGTERM more than once, which changes nothing. Whoever presses Ctrl-C when all was to
    stop now gets a KeyboardInterrupt, wherever the program is. `lost` is what the first wish was asked for the want of.
    """

    def __init__(self) -> None:
        self.level = Level.NOT
        self.by_signal = False
        self.lost: Lost | None = None

    def ask(self, level: Level, lost: Lost | None = None) -> None:
        """Request a stop at a level; a more urgent request stands. `lost` names the resource that is missing."""
        self.lost = self.lost if self.level else lost
        self.level = max(self.level, level)

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Take Ctrl-C and SIGTERM as requests while a study runs (in the main thread only)."""
        previous: dict[int, Any] = {}
        try:
            for caught, heed in ((signal.SIGINT, self._on_ctrl_c), (signal.SIGTERM, self._on_sigterm)):
                previous[caught] = signal.signal(caught, heed)
        except ValueError:
            pass
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_ctrl_c(self, _number: int, _frame: FrameType | None) -> None:
        if self.level is Level.NOW:
            raise KeyboardInterrupt
        self.by_signal = True
        self.ask(Level.NOW if self.level else Level.AFTER_EPOCH)

    def _on_sigterm(self, _number: int, _frame: FrameType | None) -> None:
        self.by_signal = True
        self.ask(Level.AFTER_STEP)
