"""Observers of a study's run: the one that shows its progress, and those from plugins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fersearch.study import StudySpec, StudyState
from fersearch.trial import Decision, Epoch, Trial


@dataclass(frozen=True)
class ObservedStudy:
    """The study of a run: its name, its unique random id, and its specification."""

    name: str
    uid: str
    spec: StudySpec


class StudyObserver:
    """A plugin that receives the events of a running study, and changes nothing; by default it ignores them all.

    Every run has its own copy, called in one thread next to the driver's, so it may keep state on `self` and block.
    If it falls behind by hundreds of events, some are dropped, those of epochs first. If it raises, that is
    reported once, and it receives nothing more; the study goes on. `options` maps the options that a run may set
    to a line that explains each; values are text.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    options: ClassVar[Mapping[str, str]] = {}

    def check(self, options: Mapping[str, str]) -> None:
        """Check before the run begins that it can work: that libraries are installed and options are valid.

        Raises:
            FersearchError: the message says what is wrong, the hint what to do.
        """

    def study_started(self, study: ObservedStudy, options: Mapping[str, str]) -> None:
        """Handle the start of a run of a study, perhaps not its first; `options` are those given for this run."""

    def trial_started(self, trial: Trial) -> None:
        """Handle a trial that begins, or goes on after `trial.epochs` epochs: `len(trial.attempts)` is then over 1.

        Later epochs that an interrupted attempt has already reported are reported again.
        """

    def epoch_ended(self, trial: Trial, epoch: Epoch) -> None:
        """Handle an epoch and its values; `trial` is in the state in which it started."""

    def trial_ended(self, trial: Trial) -> None:
        """Handle a trial that left its slot: `trial.state` says how, or `waiting` if it goes on later."""

    def study_ended(self, state: StudyState) -> None:
        """Handle the end of this run, which leaves the study in `state`; the last call."""


class Observer:
    """The display of a study's run, which ignores every event; called from the driver's main thread only."""

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
