"""Interfaces that a search needs: a study's row to read, and a writer of its records."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fersearch.study import StudySpec
from fersearch.trial import Attempt, Enqueued, Epoch, Trial


class Writer(Protocol):
    """The destination of the search's records."""

    def add_trial(self, trial: Trial) -> None:
        """Store a new trial."""

    def withdraw(self, configuration: Enqueued) -> None:
        """Remove an enqueued configuration that the search has taken."""

    def start_attempt(self, number: int, attempt: Attempt) -> None:
        """Store an attempt that begins, or whose process has become known; the trial is running."""

    def record(self, number: int, attempt: int, epoch: Epoch) -> None:
        """Store an epoch of an attempt; the same epoch again changes nothing."""

    def end_attempt(self, trial: Trial, attempt: Attempt, facts: Mapping[str, Any]) -> None:
        """Store the end of an attempt and the trial's state after it, without delay."""

    def update_trial(self, trial: Trial) -> None:
        """Store the trial in its current state."""

    def release(self, trial: Trial) -> None:
        """Record that an ended trial has released its checkpoint."""

    def forget_epochs(self, number: int, attempt: int) -> None:
        """Delete the epochs that earlier attempts of a trial recorded."""

    def front_changed(self, numbers: Sequence[int]) -> None:
        """Record the trials of the changed front, best first."""


class StudyLike(Protocol):
    """The part of a study's row that the search reads."""

    @property
    def spec(self) -> StudySpec:
        """The study's specification."""
