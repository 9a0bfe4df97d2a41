"""How a finish picks, what it refuses, and that the pick judges other data before test is opened."""

from pathlib import Path

import pytest

from fersearch import api
from fersearch.api.finishing import begin_finish
from fersearch.context import open_store
from fersearch.engines import finishing
from fersearch.engines.finishing import Retraining, begin, fresh_seeds
from fersearch.errors import DataError, FersearchError
from tests.api.conftest import SETTINGS
from tests.small_sets import Notes, all_rows, create, data, made, run, write

__all__ = ["data", "made"]


def finish(name: str = "s", **options):
    notes = Notes()
    defaults = {"finalists": 1, "seeds": 2, "slots": 1, **options}
    return api.finish_study(name, observer=notes, **defaults), notes.notes


def test_seeds_are_fresh_different_and_always_the_same():
    assert fresh_seeds(7, 5) == fresh_seeds(7, 5)
    assert fresh_seeds(7, 5) == fresh_seeds(7, 9)[:5]
    assert len({*fresh_seeds(7, 9), 7, 0}) == 11
    assert fresh_seeds(7, 5) != fresh_seeds(8, 5)


def test_the_pick_judges_unseen_data_and_an_interrupted_look_is_opened_anew(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm_fork_server: None
) -> None:
    other = write(tmp_path / "other", ("sad", "happy"))
    unseen = [f"imagefolder={other}"]
    with monkeypatch.context() as patch:
        patch.setattr("fersearch.evaluation.final_look.interval", _fail)
        with pytest.raises(FersearchError, match="the power went"):
            finish(unseen=unseen)
    assert api.show_study("s").looks == []
    result, messages = finish()
    assert not [line for line in messages if line.startswith(("training", "unseen"))]
    assert [look.dataset for look in api.show_study("finish/s").looks] == ["imagefolder"]
    (look,) = api.show_study("s").looks
    assert (look.n, look.split, result.looks, result.dataset) == (8, "test", 1, "imagefolder")
    judged = api.show_study("finish/s").looks[0].checkpoint
    assert judged == look.checkpoint


def test_unseen_data_is_remembered_from_every_beginning_and_waits_for_the_pick(
    data: Path, tmp_path: Path, warm_fork_server: None
) -> None:
    paths = [write(tmp_path / name, ("sad", "happy")) for name in ("one", "two")]
    for path in (*paths, paths[0]):
        assert begin_finish("s", Retraining(1, 1), [f"imagefolder={path}"]).trained == "finish/s"
    api.run_study("finish/s", slots=1)
    assert api.show_study("finish/s").looks == []
    finish()
    assert [look.dataset for look in api.show_study("finish/s").looks] == ["imagefolder", "imagefolder"]


def _fail(*_: object) -> None:
    raise FersearchError("the power went")


def test_data_that_changed_stays_closed(data: Path, warm_fork_server: None) -> None:
    (data / "test" / "sad" / "0.png").unlink()
    with pytest.raises(DataError):
        finish(seeds=1)
    assert api.show_study("s").looks == []


def test_one_that_was_begun_with_other_finalists_in_part_is_reported_how_to_begin_anew(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, _ = all_rows()
    with open_store(None) as store:
        with monkeypatch.context() as patch:
            patch.setattr(finishing, "_add_trials", lambda *_: None)
            begin(store, study, Retraining(1, 3), lambda _: None)
        with pytest.raises(FersearchError, match="study 'finish/s' was started with other finalists") as error:
            begin(store, study, Retraining(1, 2), lambda _: None)
        assert "fersearch study delete finish/s --yes; fersearch study finish s" in error.value.hint
        owner = begin(store, study, Retraining(1, 3), lambda _: None)
        assert [trial.params["seed"] for trial in store.trials(owner.id)] == fresh_seeds(study.spec.seed, 3)


def test_a_study_of_the_same_name_that_trained_other_configurations_is_left_alone(data: Path) -> None:
    create("finish/s", data)
    run("finish/s")
    study, _ = all_rows()
    with open_store(None) as store:
        assert begin(store, study, Retraining(1, 1), lambda _: None).name == "finish/s-2"


def test_a_search_with_trials_left_is_reported_so(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create("more", data, trials=3)
    run("more")
    monkeypatch.setattr(finishing, "begin", _fail)
    notes = Notes()
    with pytest.raises(FersearchError, match="the power went"):
        api.finish_study("more", observer=notes)
    assert notes.notes == ["1 of 3 trials of more have ended: later ones are chosen with knowledge of test"]


def test_finalists_are_trained_for_other_epochs_and_the_line_says_so(data: Path, warm_fork_server: None) -> None:
    finished = finish(epochs=3)[0]
    with open_store(None) as store:
        trials = store.trials(store.study("finish/s").id)
    assert [(trial.params["epochs"], trial.epochs) for trial in trials] == [(3, 3), (3, 3)]
    assert (finished.epochs, finished.trial) == (3, 0)
    assert "trial 0 of s trained for 3 epochs, picked from 1 finalist" in finished.line
    assert api.show_study("s").finish == finished
    assert all_rows()[1][0].values["parameters_spread"] == 0.0


FIXED = {**SETTINGS, **dict.fromkeys(("learning_rate", "weight_decay", "dropout", "label_smoothing"), "0.01")}
FIXED |= {"optimizer": "adam", "scheduler": "none", "loss": "cross_entropy", "augmentation": "none", "batch_size": "32"}


def test_finalists_that_differ_by_their_epochs_alone_are_trained_once(data: Path) -> None:
    create("two", data, trials=2, epochs="1..2", settings=FIXED, sampler="grid")
    run("two")
    with open_store(None) as store:
        study = store.study("two")
        owner = begin(store, study, Retraining(3, 2, epochs=4), lambda _: None)
        assert [trial.params["epochs"] for trial in store.trials(owner.id)] == [4, 4]


def test_a_finish_that_was_begun_otherwise_goes_on_and_says_so(data: Path) -> None:
    study, _ = all_rows()
    notes: list[str] = []
    with open_store(None) as store:
        begun = begin(store, study, Retraining(1, 3), notes.append)
        assert begin(store, study, Retraining(1, 3), notes.append).id == begun.id
        assert len(notes) == 1
        assert begin(store, study, Retraining(1, 3, epochs=9), notes.append).id == begun.id
    assert notes[1] == (
        "continuing study finish/s as it was started; the finalists, seeds and epochs given now are ignored"
    )
