"""The latency of a front, measured alone after the search."""

from pathlib import Path

import pytest

from fersearch import api
from fersearch.engines import latency_alone
from fersearch.training.latency import SteadyLatency
from tests.api.conftest import SETTINGS
from tests.small_sets import Notes, create, data, made

__all__ = ["data", "made"]
pytestmark = pytest.mark.usefixtures("warm_fork_server")


def run(name: str) -> list[str]:
    watcher = Notes()
    api.run_study(name, slots=1, observer=watcher)
    return watcher.notes


def test_a_front_is_measured_alone_once_and_keeps_what_it_was_beside_others(data: Path) -> None:
    create("quick", data, objectives=("accuracy", "latency_ms"))
    (note,) = [line for line in run("quick") if "alone: latency_ms" in line]
    (trial,) = api.front("quick").trials
    assert trial.values["latency_ms"] > 0
    assert trial.values["rough_latency_ms"] > 0
    assert note.startswith("trial 0 alone: latency_ms ")
    assert "batch 1, " in note
    assert note.endswith(" in the search")
    assert not [line for line in run("quick") if "alone" in line]


def test_a_bound_is_judged_by_what_was_measured_alone(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_alone, "_measure", lambda *_: SteadyLatency(5.0, 40, (4.9, 5.1)))
    create("bounded", data, where=("latency_ms<=1000",))
    notes = run("bounded")
    assert "trial 0 breaks latency_ms<=1000 and leaves the front" in notes
    assert api.front("bounded").trials == []


def test_nothing_is_measured_where_latency_does_not_count(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency_alone, "_measure", None)
    create("other", data, settings=SETTINGS)
    assert not [line for line in run("other") if "alone" in line]
