"""Several databases under one home: each goes on with its own states, and removes its own files alone."""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fersearch import api
from fersearch.artifacts import YOUNG, Artifacts
from fersearch.context import drain_notices, open_store
from fersearch.engines import driver
from fersearch.home import artifacts_folder, log_folder, run_folder, runs_folder
from fersearch.locks import beside, try_lock
from fersearch.observer import Observer
from fersearch.owners import Owner, mark_folder
from fersearch.store.neighbours import known
from fersearch.training import scratch
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState

OLD = 2 * YOUNG
ALONE: dict[str, list[dict[str, float]]] = {}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home in which states are saved after every step."""
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    often = driver.request_for
    monkeypatch.setattr(driver, "request_for", lambda *arguments: replace(often(*arguments), save_every=0.0))
    return tmp_path / "home"


class Watcher(Observer):
    """Hears what a run says; presses Ctrl-C after an epoch, where one is given."""

    def __init__(self, until: int = 0) -> None:
        self.until = until
        self.notes: list[str] = []

    def epoch(self, trial, epoch: Epoch, decision) -> None:
        if epoch.number == self.until:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


def create(storage: str | None = None, rate: str = "0.01", name: str = "s", **options) -> None:
    api.create_study(
        "cnn",
        "faces",
        name=name,
        trials=1,
        epochs="3",
        sampler="random",
        pruner="none",
        memory_format="contiguous",
        objectives=("accuracy", "parameters"),
        dataset_options={"train": "40", "valid": "20", "test": "20"},
        settings={"batch_size": "16", "convolutions": "1", "activation": "relu", "width": "1", "learning_rate": rate},
        storage=storage,
        **options,
    )


def run(storage: str | None = None, until: int = 0) -> Watcher:
    watcher = Watcher(until)
    api.run_study("s", in_process=True, observer=watcher, storage=storage)
    return watcher


def epoch_values(storage: str | None = None) -> list[dict[str, float]]:
    """What the epochs of trial 0 gave, but for what clocks and memory say."""
    history = api.show_trial("s", 0, storage).history
    assert [epoch.number for epoch in history] == list(range(1, len(history) + 1))
    quality = ("accuracy", "f1_macro", "train_loss", "valid_loss")
    return [{name: epoch.values[name] for name in quality} for epoch in history]


def alone(monkeypatch: pytest.MonkeyPatch, folder: Path, rate: str) -> list[dict[str, float]]:
    """The epochs and outcome of the trial in a home of its own."""
    if rate not in ALONE:
        with monkeypatch.context() as patch:
            patch.setenv("FERSEARCH_HOME", str(folder))
            create(rate=rate)
            run()
            ALONE[rate] = epoch_values()
    return ALONE[rate]


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def uid(storage: str | None = None, name: str = "s") -> str:
    with open_store(storage) as store:
        return store.study(name).uid


def test_two_databases_under_one_home_train_as_each_alone(home: Path, tmp_path: Path, monkeypatch) -> None:
    one, other = url(tmp_path / "one.db"), url(tmp_path / "other.db")
    create(one, "0.02")
    create(other, "0.001")
    run(one, until=2)
    run(other)
    run(one)
    assert epoch_values(one) == alone(monkeypatch, tmp_path / "apart", "0.02")
    assert epoch_values(other) == alone(monkeypatch, tmp_path / "beside", "0.001")
    assert [attempt.message for attempt in api.show_trial("s", 0, other).trial.attempts] == [""]
    first, second = api.show_trial("s", 0, one).trial.attempts
    assert (first.last_epoch, second.first_epoch) == (2, 3)


def test_who_removes_the_database_starts_over(home: Path, tmp_path: Path, monkeypatch) -> None:
    create(rate="0.02")
    run(until=2)
    for path in home.glob("fersearch.db*"):
        path.unlink()
    create(rate="0.001")
    watcher = run()
    assert epoch_values() == alone(monkeypatch, tmp_path / "apart", "0.001")
    assert watcher.notes == []
    assert [attempt.first_epoch for attempt in api.show_trial("s", 0).trial.attempts] == [1]


def test_a_copied_database_goes_on_by_itself(home: Path, tmp_path: Path, monkeypatch) -> None:
    one, copy = url(tmp_path / "one.db"), url(tmp_path / "copy.db")
    create(one, "0.02")
    run(one, until=2)
    duplicate(tmp_path / "one.db", tmp_path / "copy.db")
    monkeypatch.setattr(scratch, "PATIENCE", 0.0)
    with try_lock(beside(run_folder(uid(one), 0))) or pytest.fail("nobody runs it"):
        watcher = run(copy)
    assert len(watcher.notes) == 1
    assert watcher.notes[0].startswith("trial 0: another process uses ")
    run(one)
    whole = alone(monkeypatch, tmp_path / "apart", "0.02")
    assert epoch_values(one) == epoch_values(copy) == whole
    assert api.show_trial("s", 0, copy).trial.attempts[-1].message == watcher.notes[0].removeprefix("trial 0: ")


def duplicate(path: Path, copy: Path) -> None:
    """Copy a database as its owner would, write-ahead log and all."""
    source, target = sqlite3.connect(path), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.close()


def test_a_waiting_trial_without_its_state_begins_again_and_its_rows_are_replaced(home: Path, tmp_path, monkeypatch):
    create(rate="0.02")
    run(until=2)
    assert [epoch["accuracy"] for epoch in epoch_values()]
    shutil.rmtree(runs_folder())
    watcher = run()
    where = run_folder(uid(), 0)
    assert watcher.notes == [f"trial 0: it began again: no state of it is kept in {where}"]
    assert epoch_values() == alone(monkeypatch, tmp_path / "apart", "0.02")
    first, second = api.show_trial("s", 0).trial.attempts
    assert (first.reason, second.reason) == (Reason.INTERRUPTED, Reason.DONE)
    assert (first.last_epoch, second.first_epoch, second.last_epoch) == (2, 1, 3)
    assert second.message == watcher.notes[0].removeprefix("trial 0: ")


def fill(storage: str | None, *digests: str, name: str = "s") -> str:
    """A study with a complete trial of each digest; returns its random id."""
    create(storage, name=name, keep="all")
    with open_store(storage) as store:
        study = store.study(name)
        owner = Owner(store.identity, study.uid)
        with store.writer(study.id) as writer:
            for number, digest in enumerate(digests):
                trial = Trial(number, {}, TrialState.COMPLETE, {"accuracy": 0.5, "parameters": 9.0}, 1, 1, digest)
                writer.add_trial(trial)
                writer.end_attempt(trial, Attempt(1, Reason.DONE), {})
        state(study.uid, 0, owner)
        log_folder(study.uid).mkdir(parents=True)
        (log_folder(study.uid) / "0-1.log").write_text("log")
        return study.uid


def state(study: str, number: int, owner: Owner | None = None) -> Path:
    """A trial's old scratch folder, marked if an owner is given."""
    folder = run_folder(study, number)
    folder.mkdir(parents=True)
    (folder / "last.pt").write_text("state")
    os.utime(folder / "last.pt", (0, time.time() - OLD))
    if owner is not None:
        mark_folder(folder.parent, owner)
    return folder


@pytest.fixture
def put(home: Path, tmp_path: Path) -> Callable[..., str]:
    """Keep an old file of some text, marked as those owners'; returns its digest."""

    def keep(text: str, *owners: Owner) -> str:
        artifacts, file = Artifacts(artifacts_folder()), tmp_path / "file"
        file.write_text(text)
        for owner in owners or (None,):
            digest = artifacts.put(file, owner)
        os.utime(artifacts.root / digest, (0, time.time() - OLD))
        return digest

    return keep


def stored() -> set[str]:
    return set(Artifacts(artifacts_folder()).digests())


def owner_in(storage: str, study: str = "5" * 32) -> Owner:
    with open_store(storage, create=True) as store:
        return Owner(store.identity, study)


def test_gc_removes_its_own_and_what_is_nobodys(home: Path, tmp_path: Path, put) -> None:
    one, other = url(tmp_path / "one.db"), url(tmp_path / "other.db")
    mine, theirs = owner_in(one), owner_in(other)
    gone, both, foreign = put("gone", mine), put("both", mine, theirs), put("foreign", theirs)
    needed, nobodys = put("needed by rows alone"), put("nobody's")
    ours = put("kept", mine)
    study, their_study = fill(one, ours), fill(other, needed)
    scraps = [state("6" * 32, 0, mine), state("7" * 32, 0), run_folder(study, 0), state("3", 0)]
    stays = [state("8" * 32, 0, theirs), run_folder(their_study, 0)]
    counted = api.collect_garbage(storage=one, dry_run=True)
    assert {kind: heap.files for kind, heap in counted.heaps.items()} == {
        "released": 0,
        "orphaned": 2,
        "scratch": 4,
        "unfinished": 0,
    }
    assert stored() == {gone, both, foreign, needed, nobodys, ours}
    assert api.collect_garbage(storage=one).heaps == counted.heaps
    assert stored() == {both, foreign, needed, ours}
    assert [folder.exists() for folder in (*scraps, *stays)] == [False] * 4 + [True] * 2
    assert Artifacts(artifacts_folder()).owners_of(both) == {theirs}
    assert api.collect_garbage(storage=one).files == 0
    assert api.collect_garbage(storage=other).heaps["orphaned"].files == 2
    assert stored() == {needed, ours}


def test_what_a_database_that_cannot_be_read_may_need_stays(home: Path, tmp_path: Path, put) -> None:
    (tmp_path / "far").mkdir()
    one, far = url(tmp_path / "one.db"), url(tmp_path / "far" / "t.db")
    needed = put("needed")
    fill(far, needed)
    mine, nobodys, folder = put("mine", owner_in(one)), put("nobody's"), state("7" * 32, 0)
    (tmp_path / "far").rename(tmp_path / "away")
    result = api.collect_garbage(storage=one)
    assert result.unread == {far: f"{tmp_path / 'far'} does not exist"}
    assert stored() == {needed, nobodys}
    assert mine not in stored()
    assert folder.exists()
    (tmp_path / "away").rename(tmp_path / "far")
    result = api.collect_garbage(storage=one)
    assert (result.unread, stored(), folder.exists()) == ({}, {needed}, False)


def test_the_database_of_the_home_is_known_though_nobody_opened_it(home: Path, tmp_path: Path, put) -> None:
    digest, orphan = put("kept at home"), put("nobody's")
    fill(None, digest)
    shutil.rmtree(home / "databases")
    open_store(url(tmp_path / "other.db"), create=True).close()
    assert api.collect_garbage(storage=url(tmp_path / "other.db")).heaps["orphaned"].files == 1
    assert stored() == {digest}
    assert orphan != digest
    assert [one.url for one in known()] == [url(home / "fersearch.db"), url(tmp_path / "other.db")]


def test_delete_leaves_what_other_databases_need(home: Path, tmp_path: Path, put) -> None:
    one, other = url(tmp_path / "one.db"), url(tmp_path / "other.db")
    shared, own = put("shared"), put("own", owner_in(one))
    study, their_study = fill(one, shared, own), fill(other, shared)
    api.delete_study("s", one)
    assert stored() == {shared}
    assert not runs_folder().joinpath(study).exists()
    assert not log_folder(study).exists()
    assert (run_folder(their_study, 0) / "last.pt").exists()
    assert (log_folder(their_study) / "0-1.log").exists()


def test_delete_and_gc_spare_what_a_copy_of_the_database_has(home: Path, tmp_path: Path, put) -> None:
    one, copy = url(tmp_path / "one.db"), url(tmp_path / "copy.db")
    digest = put("kept", owner_in(one))
    study = fill(one, digest)
    with open_store(one) as store, store.writer(store.study("s").id) as writer:
        writer.add_trial(Trial(1, {}))
    waiting = state(study, 1)
    duplicate(tmp_path / "one.db", tmp_path / "copy.db")
    drain_notices()
    assert api.list_trials("s", copy)[1].state is TrialState.WAITING
    api.delete_study("s", one)
    assert drain_notices() == ["the logs and states of s stay, for a copy of this database may have the study too"]
    api.collect_garbage(storage=one)
    assert stored() == {digest}
    assert (waiting / "last.pt").exists()
    assert (log_folder(study) / "0-1.log").exists()
    api.delete_study("s", copy)
    assert stored() == set()
    assert not runs_folder().joinpath(study).exists()


def test_a_folder_in_which_somebody_works_is_not_collected(home: Path, tmp_path: Path) -> None:
    open_store(create=True).close()
    folder = state("7" * 32, 0)
    with try_lock(beside(folder)) or pytest.fail("it is free"):
        assert api.collect_garbage().files == 0
    assert (folder / "last.pt").exists()
    assert api.collect_garbage().heaps["scratch"].files == 1
    assert not folder.exists()


def test_looks_are_booked_by_the_study_and_not_by_its_name(home: Path, tmp_path: Path) -> None:
    one, other = url(tmp_path / "one.db"), url(tmp_path / "other.db")
    for storage in (one, other):
        create(storage)
    run(one)
    pulled = api.pull_checkpoint("s", trial=0, out=tmp_path / "model", storage=one).path
    assert api.evaluate(pulled, split="test", storage=other).looks == 1
    assert api.show_study("s", other).looks == []
    assert [api.evaluate(pulled, split="test", storage=one).looks for _ in range(2)] == [1, 2]
    assert len(api.show_study("s", one).looks) == 2
    with open_store(one) as store, store.database.write() as connection:
        connection.exec_driver_sql("UPDATE studies SET name = 't'")
    assert api.evaluate(pulled, split="test", storage=one).looks == 3


def test_a_card_without_a_study_id_is_known_by_its_digest(home: Path, tmp_path: Path, monkeypatch) -> None:
    from fersearch.training import attempt as runs

    made = runs.make_card
    monkeypatch.setattr(
        runs,
        "make_card",
        lambda *args: {k: v for k, v in made(*args).items() if k != "study_id"} | {"format": 1},
    )
    create()
    run()
    pulled = api.pull_checkpoint("s", trial=0, out=tmp_path / "model").path
    assert api.evaluate(pulled, split="test").looks == 1
    assert len(api.show_study("s").looks) == 1
    other = url(tmp_path / "other.db")
    create(other)
    assert api.evaluate(pulled, split="test", storage=other).looks == 1
    assert api.show_study("s", other).looks == []
