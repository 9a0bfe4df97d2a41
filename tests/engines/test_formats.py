"""The first decision for a shape of trials holds for all of them, also for a driver that comes later."""

from types import SimpleNamespace
from typing import Any

import pytest

from fersearch import api
from fersearch.engines.formats import Formats, memory_format
from fersearch.trial import Attempt, Reason, Trial, TrialState
from tests import studies

SLOW = {"shape": "a", "memory_format": "contiguous", "gain": 1.01, "seconds": 0.2}
FAST = {"shape": "a", "memory_format": "channels_last", "gain": 1.2, "seconds": 0.2}
BROKEN = {"shape": "b", "memory_format": "contiguous", "gain": None, "seconds": 0.1, "trouble": "it fails: E: why"}


class Learning:
    """Stands for the search: stores the facts of each trial."""

    def __init__(self) -> None:
        self.spec = SimpleNamespace(architecture="odd")
        self.facts: dict[int, dict[str, Any]] = {}

    def record_facts(self, number: int, facts: dict[str, Any]) -> None:
        self.facts[number] = {**self.facts.get(number, {}), **facts}

    def trials(self) -> list[Trial]:
        return [Trial(number, {}, attempts=(Attempt(1, facts=facts),)) for number, facts in self.facts.items()]


def test_the_first_decision_of_a_shape_holds_and_is_recorded_with_its_attempt() -> None:
    search, formats = Learning(), Formats([], print)
    assert formats.settle(search, 0, FAST) == "channels_last"
    assert formats.settle(search, 1, SLOW) == "channels_last"
    assert formats.settle(search, 2, {"shape": "a", "memory_format": "channels_last"}) == "channels_last"
    assert search.facts[0] == {
        "memory_format": "channels_last",
        "rehearsal": {"shape": "a", "gain": 1.2, "seconds": 0.2},
    }
    assert search.facts[1]["memory_format"] == "channels_last"
    assert search.facts[2] == {"memory_format": "channels_last"}
    assert formats.known == Formats(search.trials(), print).known == {"a": "channels_last"}


def test_a_networks_failure_is_noted_once_in_a_study() -> None:
    notes: list[str] = []
    search = Learning()
    formats = Formats([], notes.append)
    for number, shape in enumerate(("b", "c")):
        assert formats.settle(search, number, {**BROKEN, "shape": shape}) == "contiguous"
    Formats(search.trials(), notes.append).settle(search, 3, {**BROKEN, "shape": "d"})
    assert notes == ["'odd' is trained contiguous: in channels_last it fails: E: why"]
    named = {**BROKEN, "shape": "e", "architecture": "one", "trouble": "it too fails"}
    formats.settle(search, 4, named)
    assert notes[1:] == ["'one' is trained contiguous: in channels_last it too fails"]


def test_a_trial_goes_on_in_the_format_of_its_last_attempt_that_had_one() -> None:
    attempts = (Attempt(1, facts={"memory_format": "channels_last"}), Attempt(2, Reason.KILLED))
    assert memory_format(Trial(0, {}, TrialState.WAITING, attempts=attempts)) == "channels_last"
    assert memory_format(Trial(0, {}, attempts=attempts[1:])) is None


@pytest.fixture
def home(tmp_path, monkeypatch, warm_fork_server):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))


def facts(study: str) -> list[dict[str, Any]]:
    result = [api.show_trial(study, trial.number).trial.attempts for trial in api.list_trials(study)]
    return [dict(attempts[-1].facts) for attempts in result]


def test_trials_of_a_study_share_one_rehearsal_also_when_it_goes_on(home) -> None:
    study = studies.create("auto", trials=2, epochs="1", memory_format="auto")
    api.run_study(study, slots=1, threads_per_slot=1)
    api.run_study(study, slots=1, threads_per_slot=1, trials=3)
    first, second, third = facts(study)
    assert first["rehearsal"]["shape"]
    assert "rehearsal" not in {**second, **third}
    assert first["memory_format"] == second["memory_format"] == third["memory_format"]
    inside = studies.create("inside", trials=1, epochs="1", memory_format="auto")
    api.run_study(inside, in_process=True, slots=1, threads_per_slot=1)
    assert facts(inside)[0]["rehearsal"]["shape"] == first["rehearsal"]["shape"]
