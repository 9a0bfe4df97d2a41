"""The observer of a study's run."""

from collections.abc import Sequence
from typing import Any

from fersearch.trial import Decision, Epoch, Trial


class Observer:
    """An observer of a study's run that ignores every event; called from the driver's main thread only."""

    def preparing(self, done: int, total: int) -> None:
        """Note how many of the dataset's images are prepared."""

    def begin(self, study: Any, total: int, ended: Sequence[Trial], slots: int, rounds: int = 1) -> None:
        """Note the start of a study: its budget of trials, those ended before, the slots, the rounds of a trial."""

    def started(self, trial: Trial, slot: int) -> None:
        """Note that a trial took a slot."""

    def epoch(self, trial: Trial, epoch: Epoch, decision: Decision) -> None:
        """Note that a trial reported an epoch and got a decision."""

    def ended(self, trial: Trial) -> None:
        """Note that a trial left its slot: ended, or waiting to resume later."""

    def note(self, text: str) -> None:
        """Note a message for the user."""

    def tick(self) -> None:
        """Note that time passed (about ten times a second)."""

    def end(self) -> None:
        """Note that the run is over, however it ended."""
