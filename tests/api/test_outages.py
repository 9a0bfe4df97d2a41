"""A run reports an outage, waits for its end before it starts, and stops when it lasts too long."""

from dataclasses import dataclass

import pytest

from fersearch.engines import outages
from fersearch.engines.local import Stop
from fersearch.engines.outages import Outages
from fersearch.errors import StoreUnavailable


@dataclass
class Writer:
    outage: float = 0.0
    must_stop: bool = False
    trouble: str = "database x: connection refused"


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def watched(notes: list[str], stop: Stop, monkeypatch: pytest.MonkeyPatch) -> Outages:
    monkeypatch.setattr(outages, "RETRY_SECONDS", 0.001)
    return Outages(notes.append, stop)


class Away:
    """Raises so many times, then answers."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self) -> str:
        self.times -= 1
        if self.times >= 0:
            raise StoreUnavailable("database x: connection refused")
        return "here"


def test_an_outage_is_reported_once_and_so_is_its_end(watched: Outages, notes: list[str], stop: Stop) -> None:
    for outage in (0.0, 0.5, 1.5, 0.0, 0.0):
        watched.look(Writer(outage))
    assert notes == [
        "database x: connection refused: training continues, and its results are written when the database is back",
        "the database is back, and the rows that waited for it are written",
    ]
    assert (stop.level, watched.stopped) == (0, False)


def test_too_long_an_outage_stops_the_run_after_the_epochs_under_way(
    watched: Outages, notes: list[str], stop: Stop
) -> None:
    for outage in (1.0, 601.0, 602.0):
        watched.look(Writer(outage, must_stop=outage > 600))
    assert (stop.level, stop.lost, watched.stopped, len(notes)) == (1, "database", True, 2)
    assert "finishes its epoch and is saved" in notes[1]


def test_a_run_with_a_request_to_stop_now_is_not_delayed(watched: Outages, stop: Stop) -> None:
    stop.level = 2
    watched.look(Writer(601.0, must_stop=True))
    assert stop.level == 2


def test_a_start_waits_for_the_database(watched: Outages, notes: list[str]) -> None:
    assert watched.retry(Away(3)) == "here"
    assert notes == ["database x: connection refused: waiting for it"]


def test_a_start_does_not_wait_for_ever(watched: Outages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outages, "OUTAGE_SECONDS", 0.01)
    with pytest.raises(StoreUnavailable):
        watched.retry(Away(10_000))


def test_a_start_that_somebody_interrupts_does_not_wait(watched: Outages, stop: Stop) -> None:
    stop.level = 1
    with pytest.raises(StoreUnavailable):
        watched.retry(Away(1))
