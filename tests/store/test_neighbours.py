"""Which other databases have files in a home, and what they say of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from fersearch.home import databases_folder
from fersearch.owners import Owner
from fersearch.store import Store
from fersearch.store.neighbours import Known, Neighbours, known, remember
from fersearch.store.schema import VERSION_TABLE
from fersearch.trial import Attempt, Reason, Trial, TrialState
from tests.store.conftest import make_spec

DIGEST, STUDY = "ab" * 32, "5" * 32


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Store]:
    """Opens a database of the home by its file's name, and has it remembered."""
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))

    def go(name: str) -> Store:
        store = Store.open(f"sqlite:///{tmp_path / name}")
        remember(store)
        return store

    return go


def keep(store: Store) -> str:
    """A study with a complete trial that keeps DIGEST, and one that waits; returns the study's random id."""
    study = store.create_study(make_spec())
    with store.writer(study.id) as writer:
        done = Trial(0, {}, TrialState.COMPLETE, {}, 1, 1, DIGEST)
        writer.add_trial(done)
        writer.end_attempt(done, Attempt(1, Reason.DONE), {})
        writer.add_trial(Trial(1, {}))
    return study.uid


def test_a_database_is_remembered_once_and_a_new_one_in_its_place_too(opened, tmp_path: Path) -> None:
    with opened("one.db") as store:
        first = Known(store.database.address, store.identity)
        remember(store)
    home = Known(f"sqlite:///{tmp_path / 'home' / 'fersearch.db'}")
    assert list(known()) == [home, first]
    for path in tmp_path.glob("one.db*"):
        path.unlink()
    with opened("one.db") as store:
        assert list(known()) == [home, Known(first.url, store.identity)]
        assert store.identity != first.identity
    (databases_folder() / "broken.json").write_text("[")
    assert len(list(known())) == 2


def test_files_that_another_database_needs_or_may_run_are_reported(opened) -> None:
    with opened("one.db") as one, opened("other.db") as other:
        uid = keep(other)
        neighbours = Neighbours(one)
        assert neighbours.may_keep(DIGEST)
        assert not neighbours.may_keep("0" * 64)
        assert [neighbours.may_run(uid, number, None) for number in (0, 1, None)] == [False, True, True]
        assert not neighbours.may_run(STUDY, None, None)
        assert neighbours.unread == {}


def test_marks_decide_which_database_is_consulted(opened) -> None:
    with opened("one.db") as one, opened("other.db") as other:
        uid = keep(other)
        mine, theirs = Owner(one.identity, STUDY), Owner(other.identity, uid)
        neighbours = Neighbours(one)
        assert not neighbours.may_keep(DIGEST, {mine})
        assert neighbours.may_keep("0" * 64, {mine, theirs})
        assert neighbours.may_run(STUDY, 0, theirs)
        assert not neighbours.may_run(uid, 1, mine)


def test_a_copy_is_consulted_about_files_marked_as_its_own(opened, tmp_path: Path) -> None:
    with opened("one.db") as one:
        uid = keep(one)
    shutil.copyfile(tmp_path / "one.db", tmp_path / "copy.db")
    with opened("one.db") as one, opened("copy.db") as copy:
        assert copy.identity == one.identity
        neighbours = Neighbours(one)
        assert neighbours.may_keep(DIGEST, {Owner(one.identity, uid)})
        assert neighbours.may_run(uid, 1, Owner(one.identity, uid))


def test_one_file_by_two_names_is_no_neighbour(opened, tmp_path: Path) -> None:
    with opened("one.db") as one:
        keep(one)
        (tmp_path / "hard.db").hardlink_to(tmp_path / "one.db")
        place = databases_folder() / "hard.json"
        place.write_text(json.dumps({"url": f"sqlite:///{tmp_path / 'hard.db'}", "id": one.identity}))
        (tmp_path / "link.db").symlink_to(tmp_path / "one.db")
    with opened("link.db") as link:
        assert link.database.address == f"sqlite:///{tmp_path / 'one.db'}"
        assert not Neighbours(link).may_keep(DIGEST)


@pytest.mark.parametrize("why", ["older", "newer", "no database", "no folder"])
def test_a_database_that_cannot_be_read_may_need_everything_that_nobody_marked(opened, tmp_path: Path, why) -> None:
    (tmp_path / "far").mkdir()
    with opened("far/t.db") as far:
        keep(far)
        with far.database.write() as connection:
            if why in ("older", "newer"):
                version = "1" if why == "older" else "99"
                connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{version}'"))
    if why == "no database":
        for path in (tmp_path / "far").iterdir():
            path.unlink()
        (tmp_path / "far" / "t.db").write_text("these are notes, no database" * 100)
    if why == "no folder":
        shutil.rmtree(tmp_path / "far")
    with opened("one.db") as one:
        neighbours = Neighbours(one)
        assert not neighbours.may_keep("0" * 64, {Owner(one.identity, STUDY)})
        assert neighbours.unread == {}
        assert neighbours.may_keep("0" * 64)
        assert neighbours.may_run(STUDY, 0, None)
        problem = neighbours.unread[f"sqlite:///{tmp_path / 'far' / 't.db'}"]
    assert {
        "older": "it was made by an older fersearch: study list brings it up to date",
        "newer": "was made by a newer fersearch",
        "no database": "file is not a database",
        "no folder": "/far does not exist",
    }[why] in problem


def test_a_database_that_was_removed_needs_nothing(opened, tmp_path: Path) -> None:
    with opened("gone.db") as gone:
        keep(gone)
    for path in tmp_path.glob("gone.db*"):
        path.unlink()
    with opened("one.db") as one:
        neighbours = Neighbours(one)
        assert not neighbours.may_keep(DIGEST)
        assert neighbours.unread == {}
        assert not (tmp_path / "gone.db").exists()


def test_the_address_of_a_server_has_no_password(server) -> None:
    with Store.open(server.create().replace("tester@", "tester:secret@")) as store:
        assert "secret" not in store.database.address
        assert store.database.address.startswith("postgresql://tester@")
