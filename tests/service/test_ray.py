"""A service whose studies share the slots of Ray."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fersearch import api
from tests.service.served import Served, kill_all, wait_for
from tests.studies import SETTINGS, SIZES

STUDY = {
    "model": "cnn",
    "dataset": {"name": "faces", "options": SIZES},
    "epochs": 6,
    "trials": 12,
    "sampler": "random",
    "pruner": "none",
    "objectives": ["accuracy", "parameters"],
    "space": {**SETTINGS, "learning_rate": "0.001..0.1"},
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    home = tmp_path / "home"
    home.mkdir()
    yield Served(home, flags=("--engine", "ray"))
    kill_all(home)


@pytest.mark.long
def test_studies_of_two_owners_share_the_slots_and_no_attempt_is_lost(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FERSEARCH_HOME", str(served.home))
    names = ("first", "second")
    for name in names:
        token = {"Authorization": f"Bearer {api.new_token(name, 'run', owner=name)}"}
        served.client.post("/api/v1/studies", json={**STUDY, "name": name}, headers=token).raise_for_status()
    for name in names:
        wait_for(lambda: served.get(f"/studies/{name}").json()["state"] == "complete", 400)  # noqa: B023
    spans = {name: attempts(served, name) for name in names}
    assert {len(one) for one in spans.values()} == {12}
    together = [span for one in spans.values() for span in one]
    assert max(sum(start <= begin < end for start, end in together) for begin, _ in together) <= 2
    assert min(start for start, _ in spans["second"]) < max(end for _, end in spans["first"])
    assert served.kill(15) == 0


def attempts(served: Served, study: str) -> list[tuple[str, str]]:
    """Return when each attempt of a study started and ended; all of them reached their end."""
    query = """
        SELECT started_at, ended_at, reason FROM attempts JOIN studies ON studies.id = study_id WHERE name = ?
    """
    with closing(sqlite3.connect(served.home / "fersearch.db")) as connection:
        rows = connection.execute(query, (study,)).fetchall()
    assert {reason for *_, reason in rows} == {"done"}
    return [(str(start), str(end)) for start, end, _ in rows]
