"""The database's file goes from under a running study, and comes back or does not."""

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from fersearch import api
from fersearch.errors import StoreUnavailable
from fersearch.observer import Observer
from fersearch.store import writer as writer_module
from fersearch.store.lease import BEAT_SECONDS
from tests.faults.conftest import Home
from tests.faults.test_kills import sound

pytestmark = pytest.mark.slow


def move(place: Path, there: Path) -> None:
    """Move a database and what lies beside it into another folder."""
    there.mkdir(exist_ok=True)
    for path in place.glob("fersearch.db*"):
        path.rename(there / path.name)


def test_a_study_notices_within_a_beat_trains_on_and_writes_when_the_file_is_back(home: Home):
    home.create(trials=2, epochs=4)
    database, aside = home.folder / "home", home.folder / "aside"
    driver = home.fork("study", "run", "s", "--slots", "2", SLOW_SECONDS="1")
    lines: list[tuple[float, str]] = []
    listening = threading.Thread(
        target=lambda: lines.extend((time.monotonic(), line) for line in driver.stdout), daemon=True
    )
    home.until(home.running_pids)
    listening.start()
    move(database, aside)
    moved = time.monotonic()
    home.until(lambda: [line for _, line in lines if "the file is gone" in line], seconds=BEAT_SECONDS + 5)
    noticed = next(when for when, line in lines if "the file is gone" in line)
    assert noticed - moved < BEAT_SECONDS
    listed = home.run("study", "list", "--json")
    assert (listed.returncode, json.loads(listed.stdout)) == (0, [])
    assert "no database exists at" in listed.stderr
    assert home.run("study", "show", "s").returncode == 2
    assert not list(database.glob("fersearch.db*"))
    move(aside, database)
    assert driver.wait(timeout=120) == 0
    listening.join(10)
    assert any("the database is back, and the rows that waited for it are written" in line for _, line in lines)
    trials = home.trials()
    sound(trials, 2, 4)
    assert {attempt["reason"] for trial in trials for attempt in trial["attempts"]} == {"done"}


class Thief(Observer):
    """Moves the database away after the first epoch; puts it back when the run has had enough, if it is to."""

    def __init__(self, home: Home, returns: bool) -> None:
        self.database, self.aside, self.returns = home.folder / "home", home.folder / "aside", returns
        self.notes: list[str] = []

    def epoch(self, *_: object) -> None:
        if not self.aside.exists():
            move(self.database, self.aside)

    def note(self, text: str) -> None:
        self.notes.append(text)
        if self.returns and "unreachable for too long" in text:
            move(self.aside, self.database)


@pytest.mark.parametrize(
    ("returns", "how"), [(False, {"slots": 1}), (True, {"in_process": True})], ids=["never-back", "back-at-the-end"]
)
def test_after_too_long_the_trials_are_saved_and_the_study_stops(
    home: Home, monkeypatch: pytest.MonkeyPatch, returns: bool, how: dict[str, Any]
):
    home.create(trials=1, epochs=6)
    monkeypatch.setenv("FERSEARCH_HOME", str(home.folder / "home"))
    monkeypatch.setenv("SLOW_SECONDS", "0.2")
    monkeypatch.chdir(home.folder)
    monkeypatch.setattr(writer_module, "OUTAGE_SECONDS", 0.5)
    monkeypatch.setattr(writer_module, "ANSWER_SECONDS", 0.5)
    thief = Thief(home, returns)
    message = "study 's' was stopped" if returns else "the file is gone"
    with pytest.raises(StoreUnavailable, match=message):
        api.run_study("s", observer=thief, **how)
    assert [note for note in thief.notes if "training continues" in note]
    (state,) = (home.folder / "home" / "runs").glob("*/0/last.pt")
    assert state.stat().st_size > 0
    if not returns:
        assert not list(thief.database.glob("fersearch.db*"))
        move(thief.aside, thief.database)
    api.run_study("s", **how)
    trials = home.trials()
    sound(trials, 1, 6)
    first, second = trials[0]["attempts"]
    assert (first["reason"], first["facts"]["lost"]) == ("interrupted", "database" if returns else "driver")
    assert second["reason"] == "done"
