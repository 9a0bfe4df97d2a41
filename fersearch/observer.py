"""Whoever watches a study run."""

from collections.abc import Sequence
from typing import Any

from fersearch.trial import Decision, Epoch, Trial


class Observer:
    """Somebody who watches a study run, here in silence; called from the driver's main thread only."""

    def preparing(self, done: int, total: int) -> None:
        """So many images of the dataset are prepared."""

    def begin(self, study: Any, total: int, ended: Sequence[Trial], slots: int, rounds: int = 1) -> None:
        """A study starts: its budget of trials, those that ended before, the slots, the rounds of a trial."""

    def started(self, trial: Trial, slot: int) -> None:
        """A trial took a slot."""

    def epoch(self, trial: Trial, epoch: Epoch, decision: Decision) -> None:
        """A trial told an epoch and was answered."""

    def ended(self, trial: Trial) -> None:
        """A trial left its slot: ended, or waiting to go on later."""

    def note(self, text: str) -> None:
        """Something a person should know."""

    def tick(self) -> None:
        """Time passed (about ten times a second)."""

    def end(self) -> None:
        """The run is over, however it went."""
