"""The latency of a front, measured alone after the search."""

from pathlib import Path

import pytest
from sqlalchemy import update

from fersearch import api
from fersearch.context import open_store
from fersearch.engines import latency_alone
from fersearch.store import tables
from fersearch.training.latency import SteadyLatency
from tests.api.conftest import SETTINGS
from tests.small_sets import Notes, create, data, made

__all__ = ["data", "made"]
pytestmark = pytest.mark.usefixtures("warm_fork_server")


def run(name: str, slots: int = 1) -> list[str]:
    watcher = Notes()
    api.run_study(name, slots=slots, observer=watcher)
    return watcher.notes


def as_rough(name: str, **values: float) -> None:
    """Make a study's trial one whose latency was measured beside others."""
    with open_store(None) as store, store.database.write() as write:
        study = store.study(name)
        write.execute(update(tables.attempts).values(facts={"device": "cpu", "threads": 1}))
    with open_store(None) as store:
        for metric, value in values.items():
            store.set_value(study.id, 0, metric, value)


def again(name: str) -> list[str]:
    notes: list[str] = []
    latency_alone.time_latency(name, None, notes.append)
    return notes


def test_with_one_slot_a_trial_is_alone_and_nothing_is_measured_again(data: Path) -> None:
    create("quick", data, objectives=("accuracy", "latency_ms"))
    assert not [line for line in run("quick") if "alone" in line]
    (trial,) = api.front("quick").trials
    assert not trial.rough_latency
    assert "rough_latency_ms" not in trial.values
    latency = trial.attempts[-1].facts["latency"]
    assert (latency["alone"], latency["batch"], latency["threads"]) == (True, 1, trial.attempts[-1].facts["threads"])
    as_rough("quick", latency_ms=7.0)
    (note,) = again("quick")
    assert note.startswith("trial 0 alone: latency_ms ")
    assert "batch 1, 1 thread" in note
    assert note.endswith("7.00 in the search")
    (trial,) = api.front("quick").trials
    assert (trial.rough_latency, trial.values["rough_latency_ms"]) == (False, 7.0)
    assert again("quick") == []


def test_trials_side_by_side_are_measured_alone_one_after_the_other(data: Path) -> None:
    create("pair", data, objectives=("accuracy", "latency_ms"), trials=2, epochs="8")
    run("pair", slots=2)
    trials = list(api.list_trials("pair"))
    assert [trial.attempts[-1].facts["most_neighbours"] for trial in trials] == [1, 1]
    assert [trial.rough_latency for trial in trials] == [False, False]


@pytest.mark.parametrize(("alone", "members"), [(0.9, 1), (1.1, 0)])
def test_a_trial_that_breaks_a_bound_by_its_rough_value_alone_is_judged_again(
    data: Path, monkeypatch: pytest.MonkeyPatch, alone: float, members: int
) -> None:
    monkeypatch.setattr(latency_alone, "_measure", lambda *_: SteadyLatency(alone, 40, (alone, alone)))
    create("bounded", data, where=("latency_ms<=1000",))
    run("bounded")
    as_rough("bounded", latency_ms=2100.0)
    assert again("bounded") == []
    as_rough("bounded", latency_ms=1900.0)
    assert api.front("bounded").trials == []
    notes = again("bounded")
    assert ("trial 0 breaks latency_ms<=1000 and is not on the front" in notes) == (members == 0)
    assert len(api.front("bounded").trials) == members


def test_nothing_is_measured_where_latency_does_not_count(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_alone, "_measure", None)
    create("other", data, settings=SETTINGS)
    assert not [line for line in run("other") if "alone" in line]


def test_one_whose_neighbours_did_not_pause_stays_rough_and_is_tried_once(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create("beside", data, objectives=("accuracy", "latency_ms"))
    run("beside")
    as_rough("beside", latency_ms=7.0)
    monkeypatch.setattr(latency_alone, "_measure", lambda *_: None)
    assert again("beside") == ["latency_ms of trial 0 stays rough: trials of other studies here did not pause in time"]
    (trial,) = api.front("beside").trials
    assert (trial.rough_latency, trial.values["latency_ms"]) == (True, 7.0)
