"""What stays on the disk: of a real study its front, and after `collect_garbage` nothing that no trial needs."""

import os
import shutil
import time
from pathlib import Path

import pytest

from fersearch import api
from fersearch.artifacts import YOUNG, Artifacts
from fersearch.context import open_store
from fersearch.engines import requests
from fersearch.errors import FersearchError, NoDatabase, UsageError
from fersearch.home import artifacts_folder, run_folder, runs_folder, states_url
from fersearch.maintenance import garbage
from fersearch.remote import Remote
from fersearch.store import Lease, StudyRow
from fersearch.study import Keep
from fersearch.trial import Attempt, Reason, Trial, TrialState
from tests.api.conftest import SETTINGS

SIZES = {"train": "100", "valid": "60", "test": "60"}


def create(name: str, **options) -> str:
    """A study of small trials, judged by what no clock decides."""
    defaults = {
        "trials": 4,
        "epochs": "1",
        "sampler": "random",
        "pruner": "none",
        "objectives": ("accuracy", "parameters"),
    }
    return api.create_study(
        "cnn", "faces", name=name, dataset_options=SIZES, settings=SETTINGS, **defaults | options
    ).name


@pytest.fixture(scope="module")
def real(home: Path) -> str:
    """A finished study of four trials of equal size, so that its front is the most accurate, and those that tie."""
    name = create("real")
    assert api.run_study(name, slots=2).counts == {"complete": 4}
    return name


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with nothing in it."""
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def checkpoints_of(name: str) -> set[str]:
    return {trial.checkpoint for trial in api.list_trials(name) if trial.checkpoint}


def put(text: str, age: float = 0.0) -> str:
    """Keep a file of that content, as old as is wished."""
    artifacts = Artifacts(artifacts_folder())
    artifacts.root.mkdir(parents=True, exist_ok=True)
    file = artifacts.root.parent / "file"
    file.write_text(text)
    digest = artifacts.put(file)
    file.unlink()
    os.utime(artifacts.root / digest, (0, time.time() - age))
    return digest


def stored() -> set[str]:
    return set(Artifacts(artifacts_folder()).digests())


def made(name: str, *digests: str | None, keep: str = "front") -> StudyRow:
    """A study with a complete trial of each digest, each better than the one before."""
    create(name, keep=keep)
    with open_store() as store:
        study = store.study(name)
        with store.writer(study.id) as writer:
            for number, digest in enumerate(digests):
                values = {"accuracy": 0.5 + number / 10, "parameters": 9.0}
                trial = Trial(number, {}, TrialState.COMPLETE, values, 1, 1, digest)
                writer.add_trial(trial)
                writer.end_attempt(trial, Attempt(1, Reason.DONE), {})
        return study


def test_the_artifacts_of_a_study_are_its_fronts(real):
    front = {trial.checkpoint for trial in api.front(real).trials}
    best = max(api.list_trials(real), key=lambda trial: (trial.values["accuracy"], -trial.number))
    assert checkpoints_of(real) == front | {best.checkpoint}
    assert len(checkpoints_of(real)) < 4
    assert stored() == checkpoints_of(real)
    assert {row.digest for row in api.list_checkpoints(real)} == checkpoints_of(real)
    assert not [path for path in runs_folder().glob("*/*") if path.is_dir()]


def test_a_released_checkpoint_is_refused_with_advice_and_can_be_made_again(real, tmp_path):
    released = next(trial for trial in api.list_trials(real) if trial.released)
    with pytest.raises(FersearchError) as caught:
        api.pull_checkpoint(real, trial=released.number, out=tmp_path / "none")
    assert type(caught.value) is FersearchError
    assert str(caught.value) == (
        f"the checkpoint of trial {released.number} was released: "
        "study 'real' kept only the checkpoints of the front (keep = front)\n"
        f"  train it again into a folder: fersearch trial rerun real {released.number} -o DIR; "
        "or keep every checkpoint of the next study: --keep all"
    )
    done = api.rerun_trial(real, released.number, out=tmp_path / "again")
    assert done.equal
    assert done.path == tmp_path / "again"
    result = api.evaluate(tmp_path / "again")
    assert result.metrics["accuracy"] == pytest.approx(released.values["accuracy"], abs=1e-4)
    with pytest.raises(UsageError, match="exists"):
        api.rerun_trial(real, released.number, out=tmp_path / "again")


def test_a_policy_can_be_changed_as_a_study_goes_on(home):
    name = create("grows", trials=2, keep="all")
    api.run_study(name, slots=1)
    assert len(checkpoints_of(name)) == 2
    api.run_study(name, slots=1, trials=4, keep="best 1")
    best = max(api.list_trials(name), key=lambda trial: (trial.values["accuracy"], -trial.number))
    assert checkpoints_of(name) == {best.checkpoint}
    assert checkpoints_of(name) <= stored()
    assert api.show_study(name).spec.keep == Keep("best", 1)


def test_a_checkpoint_between_row_and_file_is_an_orphan_that_is_collected(empty, monkeypatch):
    """The driver dies after its rows say that a checkpoint is released, and before the file is gone."""
    monkeypatch.setattr(requests, "remove_artifact", lambda *_: None)
    name = create("cut", trials=3)
    api.run_study(name, slots=1)
    monkeypatch.undo()
    monkeypatch.setenv("FERSEARCH_HOME", str(empty))
    orphans = stored() - checkpoints_of(name)
    assert len(orphans) == 3 - len(checkpoints_of(name)) > 0
    assert api.collect_garbage().young == len(orphans)
    for digest in orphans:
        os.utime(artifacts_folder() / digest, (0, time.time() - 2 * YOUNG))
    assert api.collect_garbage().heaps["orphaned"].files == len(orphans)
    assert stored() == checkpoints_of(name)
    for digest in checkpoints_of(name):
        Artifacts(artifacts_folder()).open(digest)


def test_what_no_trial_needs_goes_by_kind_and_all_else_stays(empty):
    old, good = put("old", 2 * YOUNG), put("good", 2 * YOUNG)
    beaten, young = put("beaten", 2 * YOUNG), put("young")
    study = made("s", beaten, good)
    artifacts = artifacts_folder()
    part = artifacts / f".{old}.x1.part"
    part.write_text("half")
    os.utime(part, (0, time.time() - 2 * YOUNG))
    (artifacts / "notes.txt").write_text("mine")
    with open_store() as store, store.writer(study.id) as writer:
        writer.add_trial(Trial(2, {}))
    for folder in (run_folder(study.uid, 1), run_folder(study.uid, 2), run_folder("7" * 32, 0)):
        folder.mkdir(parents=True)
        (folder / "last.pt").write_text("state")
    os.utime(run_folder("7" * 32, 0) / "last.pt", (0, time.time() - 2 * YOUNG))

    counted = api.collect_garbage(dry_run=True)
    assert {kind: (heap.files, heap.bytes) for kind, heap in counted.heaps.items()} == {
        "released": (1, 6),
        "orphaned": (1, 3),
        "scratch": (2, 10),
        "unfinished": (1, 4),
    }
    assert (counted.files, counted.bytes, counted.young, counted.dry_run) == (5, 23, 1, True)
    assert stored() == {old, good, beaten, young}
    assert checkpoints_of("s") == {beaten, good}

    removed = api.collect_garbage()
    assert removed.heaps == counted.heaps
    assert stored() == {good, young}
    assert checkpoints_of("s") == {good}
    assert [trial.released for trial in api.list_trials("s")] == ["front", "", ""]
    assert sorted(path.name for path in artifacts.iterdir()) == sorted([good, young, "notes.txt"])
    assert run_folder(study.uid, 2).is_dir()
    assert not run_folder(study.uid, 1).exists()
    assert not run_folder("7" * 32, 0).exists()
    assert api.collect_garbage().files == 0


def test_states_at_a_url_go_with_their_trials(empty, tmp_path, monkeypatch):
    monkeypatch.setenv("FERSEARCH_ARTIFACTS", (tmp_path / "far").as_uri())
    study = made("s", "a" * 64, keep="all")
    with open_store() as store, store.writer(study.id) as writer:
        writer.add_trial(Trial(1, {}))
    far = artifacts_folder()
    places = [states_url(study.uid, 0, far), states_url(study.uid, 1, far), states_url("7" * 32, 0, far)]
    (file := tmp_path / "state").write_text("state")
    for place in places:
        Remote(place).put(file, "last.pt")
    with open_store() as store, Lease.take(store.database, study.id, "s"):
        assert api.collect_garbage().files == 0
    assert api.collect_garbage(dry_run=True).heaps["scratch"] == garbage.Heap(1, 5)
    assert api.collect_garbage().heaps["scratch"] == garbage.Heap(1, 5)
    assert [len(Remote(place).files()) for place in places] == [0, 1, 1]


def test_a_file_that_two_trials_share_goes_with_the_last_of_them(empty):
    shared, better = put("shared", 2 * YOUNG), put("better", 2 * YOUNG)
    made("one", shared, better)
    made("two", shared)
    assert api.collect_garbage().files == 0
    assert [checkpoints_of("one"), checkpoints_of("two")] == [{better}, {shared}]
    assert stored() == {shared, better}
    api.delete_study("two")
    assert stored() == {better}


def test_a_running_study_is_left_alone(empty):
    beaten, good = put("beaten", 2 * YOUNG), put("good", 2 * YOUNG)
    study = made("busy", beaten, good)
    run_folder(study.uid, 0).mkdir(parents=True)
    (run_folder(study.uid, 0) / "last.pt").write_text("state")
    with open_store() as store, Lease.take(store.database, study.id, "busy"):
        result = api.collect_garbage()
    assert (result.files, result.driven) == (0, ("busy",))
    assert stored() == {beaten, good}
    assert (run_folder(study.uid, 0) / "last.pt").exists()


def test_the_database_of_the_home_is_consulted_too(empty, tmp_path):
    digest, orphan = put("kept at home", 2 * YOUNG), put("nobody's", 2 * YOUNG)
    made("s", digest)
    open_store(other := f"sqlite:///{tmp_path / 'other.db'}", create=True).close()
    result = api.collect_garbage(storage=other)
    assert result.heaps["orphaned"].files == 1
    assert stored() == {digest}
    assert orphan != digest


def test_old_studies_keep_everything(empty):
    first, second = put("first", 2 * YOUNG), put("second", 2 * YOUNG)
    made("old", first, second)
    with open_store() as store, store.database.write() as connection:
        connection.exec_driver_sql("UPDATE studies SET spec = replace(spec, ', \"keep\": \"front\"', '')")
        assert '"keep": "front"' not in connection.exec_driver_sql("SELECT spec FROM studies").scalar_one()
    assert api.show_study("old").spec.keep == Keep("all")
    assert api.collect_garbage().files == 0
    assert stored() == {first, second}


def test_without_a_database_nobody_knows_what_is_needed_and_nothing_is_removed(empty):
    put("old", 2 * YOUNG)
    with pytest.raises(NoDatabase, match="no database exists at"):
        api.collect_garbage()
    assert len(stored()) == 1


def test_files_that_cannot_be_removed_are_reported(empty, monkeypatch):
    open_store(create=True).close()
    put("old", 2 * YOUNG)

    def refuse(*_):
        raise PermissionError(13, "Permission denied", "a/b")

    monkeypatch.setattr(Artifacts, "remove", refuse)
    with pytest.raises(FersearchError, match="cannot remove a/b: Permission denied"):
        api.collect_garbage()
    shutil.rmtree(empty)
