"""The observers of a study's run: the one that shows its progress, and those that plugins bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from fersearch.study import StudySpec, StudyState
from fersearch.trial import Decision, Epoch, Trial


@dataclass(frozen=True)
class ObservedStudy:
    """The study that a run is about: its name, its random id, which no other study has, and its specification."""

    name: str
    uid: str
    spec: StudySpec


class StudyObserver:
    """A plugin that is told what happens in a study while it runs, and changes nothing; by itself it ignores it all.

    Every run has a copy of its own, called in one thread beside the driver's, so it may keep what it likes on `self`
    and take its time. Where it falls behind by hundreds of events some are left out, those of epochs first. If it
    raises, that is said once, and it is told nothing more; the study goes on. `options` holds what a run may say of
    it, each with one line that explains it; values come as text.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    options: ClassVar[Mapping[str, str]] = {}

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse, before the run begins, what cannot work: a library that is missing, an option that makes no sense.

        Raises:
            FersearchError: the message says what is wrong, the hint what to do.
        """

    def study_started(self, study: ObservedStudy, options: Mapping[str, str]) -> None:
        """Take note that a run of a study begins, perhaps not its first; `options` are those given for this run."""

    def trial_started(self, trial: Trial) -> None:
        """Take note that a trial begins, or goes on after `trial.epochs` epochs: `len(trial.attempts)` is then over 1.

        What an interrupted attempt told of later epochs is told again.
        """

    def epoch_ended(self, trial: Trial, epoch: Epoch) -> None:
        """Take note of an epoch and its values; `trial` is as it was when it started."""

    def trial_ended(self, trial: Trial) -> None:
        """Take note that a trial left its slot: `trial.state` says how, or `waiting` if it goes on later."""

    def study_ended(self, state: StudyState) -> None:
        """Take note that this run is over, and in which state it leaves the study; the last call."""


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
