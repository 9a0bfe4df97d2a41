"""What every observer must do: a suite to inherit.

class TestMine(ObserverSuite):
    observer = Mine()
"""

import copy
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from fersearch.observer import ObservedStudy, StudyObserver
from fersearch.space import Choice, Float, Space, Value
from fersearch.study import Objective, StudySpec, StudyState
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState

PARAMS: Mapping[str, Value] = {"optimizer": "sgd", "learning_rate": 0.01, "batch_size": 32, "nesterov": True}
OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"))
SPACE = Space({"optimizer": Choice("sgd", "adam"), "learning_rate": Float(0.001, 0.1, log=True)})


class ObserverSuite:
    """The contract of an observer; `make_options` gives the options of a run that is observed in a test's folder."""

    observer: StudyObserver

    def make_options(self, folder: Path) -> Mapping[str, str]:
        return {}

    def test_it_says_what_it_is(self) -> None:
        assert self.observer.name
        assert not any(c.isspace() or c == ":" for c in self.observer.name)
        assert self.observer.summary, "summary is what `plugin list` shows"
        assert all(self.observer.options.values()), "each option is explained by a line"

    def test_it_observes_a_whole_study(self, tmp_path: Path) -> None:
        with self._observing(tmp_path) as observer:
            for number in range(2):
                whole_trial(observer, number)

    def test_it_bears_that_events_are_left_out(self, tmp_path: Path) -> None:
        with self._observing(tmp_path) as observer:
            observer.epoch_ended(started(0), epoch(1))
            observer.trial_ended(ended(1))
            observer.trial_started(started(2))

    def test_it_bears_a_trial_that_is_interrupted_and_goes_on(self, tmp_path: Path) -> None:
        with self._observing(tmp_path) as observer:
            observer.trial_started(started(0))
            observer.epoch_ended(started(0), epoch(1))
            observer.trial_ended(replace(ended(0, Reason.INTERRUPTED, TrialState.WAITING), values={}))
        with self._observing(tmp_path) as observer:
            again = replace(started(0), epochs=1, attempts=(Attempt(1, Reason.INTERRUPTED), Attempt(2)))
            observer.trial_started(again)
            observer.epoch_ended(again, epoch(1))
            observer.epoch_ended(again, epoch(2))
            observer.trial_ended(ended(0))

    def test_it_bears_trials_that_end_badly(self, tmp_path: Path) -> None:
        with self._observing(tmp_path) as observer:
            for number, reason in enumerate((Reason.PRUNED, Reason.INFEASIBLE, Reason.ERROR)):
                observer.trial_started(started(number))
                state = {Reason.PRUNED: TrialState.PRUNED, Reason.INFEASIBLE: TrialState.INFEASIBLE}.get(reason)
                observer.trial_ended(
                    replace(ended(number, reason, state or TrialState.FAILED), values={}, kept_epoch=None)
                )

    def test_it_bears_values_that_are_no_finite_numbers(self, tmp_path: Path) -> None:
        values = {"f1_macro": math.nan, "valid_loss": math.inf, "train_seconds": 1.0}
        with self._observing(tmp_path) as observer:
            observer.trial_started(started(0))
            observer.epoch_ended(started(0), replace(epoch(1), values=values))
            observer.trial_ended(replace(ended(0), values=values))

    def test_two_runs_in_one_process_do_not_meet(self, tmp_path: Path) -> None:
        with self._observing(tmp_path) as first, self._observing(tmp_path, "other") as second:
            whole_trial(first, 0)
            whole_trial(second, 0)

    @contextmanager
    def _observing(self, folder: Path, name: str = "study") -> Iterator[StudyObserver]:
        """Yield a copy of the observer after the start of a study; its output goes to the folder."""
        observer, options = copy.deepcopy(self.observer), self.make_options(folder)
        with chdir(folder), patch.dict(os.environ, FERSEARCH_HOME=str(folder)):
            observer.check(options)
            observer.study_started(observed(name), options)
            yield observer
            observer.study_ended(StudyState.COMPLETE)


def observed(name: str = "study") -> ObservedStudy:
    """Return a small study to observe."""
    uid = f"{sum(map(ord, name)):032x}"
    return ObservedStudy(name, uid, StudySpec(name, "plain", "faces", OBJECTIVES, SPACE))


def whole_trial(observer: StudyObserver, number: int, epochs: Sequence[int] = (1, 2)) -> None:
    """Report a trial to an observer, from start to end."""
    observer.trial_started(started(number))
    for each in epochs:
        observer.epoch_ended(started(number), epoch(each))
    observer.trial_ended(ended(number))


def started(number: int) -> Trial:
    """Return a trial that has just started."""
    return Trial(number, PARAMS, TrialState.RUNNING, attempts=(Attempt(1),))


def epoch(number: int) -> Epoch:
    """Return an epoch and its values."""
    return Epoch(number, {"f1_macro": number / 10, "valid_loss": 1 / number, "train_seconds": 2.0 * number}, 2.0)


def ended(number: int, reason: Reason = Reason.DONE, state: TrialState = TrialState.COMPLETE) -> Trial:
    """Return a trial that left its slot."""
    values = {"f1_macro": 0.2, "train_seconds": 4.0}
    return replace(
        started(number), state=state, values=values, epochs=2, kept_epoch=2, attempts=(Attempt(1, reason, seconds=5.0),)
    )
