"""The suite of observers lets sound ones pass and catches broken ones."""

import inspect
import tempfile
from pathlib import Path
from typing import Any

import pytest

from fersearch.observer import StudyObserver
from fersearch.testing import ObserverSuite


class Sound(StudyObserver):
    name = "sound"
    summary = "remembers its trials"

    def study_started(self, study: Any, options: Any) -> None:
        self.trials: dict[int, list[float]] = {}

    def epoch_ended(self, trial: Any, epoch: Any) -> None:
        self.trials.setdefault(trial.number, []).append(epoch.values["f1_macro"])


def failures(**members: Any) -> set[str]:
    observer = type("Other", (Sound,), members)()
    suite = type("Suite", (ObserverSuite,), {"observer": observer})()
    failed = set()
    for name, test in inspect.getmembers(suite, inspect.ismethod):
        if name.startswith("test_"):
            try:
                with tempfile.TemporaryDirectory() as folder:
                    test(*([Path(folder)] if "tmp_path" in inspect.signature(test).parameters else []))
            except Exception:
                failed.add(name)
    return failed


def needs_a_start(self: Any, trial: Any) -> None:
    del self.trials[trial.number]


def starts_once(self: Any, trial: Any) -> None:
    assert len(trial.attempts) == 1


def needs_values(self: Any, trial: Any) -> None:
    assert trial.values


def needs_a_number(self: Any, trial: Any, epoch: Any) -> None:
    int(epoch.values["f1_macro"])


def takes_a_lock(self: Any, study: Any, options: Any) -> None:
    Path("lock").touch(exist_ok=False)


def test_a_sound_observer_passes() -> None:
    assert failures() == set()


@pytest.mark.parametrize(
    ("members", "caught"),
    [
        ({"summary": ""}, "test_it_says_what_it_is"),
        ({"options": {"file": ""}}, "test_it_says_what_it_is"),
        ({"trial_ended": needs_a_start}, "test_it_bears_that_events_are_left_out"),
        ({"trial_started": starts_once}, "test_it_bears_a_trial_that_is_interrupted_and_goes_on"),
        ({"trial_ended": needs_values}, "test_it_bears_trials_that_end_badly"),
        ({"epoch_ended": needs_a_number}, "test_it_bears_values_that_are_no_finite_numbers"),
        ({"study_started": takes_a_lock}, "test_two_runs_in_one_process_do_not_meet"),
        ({"study_ended": None}, "test_it_observes_a_whole_study"),
    ],
)
def test_a_broken_observer_is_caught(members: dict[str, Any], caught: str) -> None:
    assert caught in failures(**members)
