"""What the version of commit 9162383 left behind is opened, listed, gone on with and used, and answers as it did."""

import json
import re
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from fersearch import api
from fersearch.context import open_store
from fersearch.errors import PluginError
from fersearch.evaluation.request import EvaluationRequest, open_input
from fersearch.observer import Observer

ARCHIVE = Path(__file__).parent / "data_of_older_versions" / "9162383.tar.xz"
CLOSE = {"abs": 1e-5}
REFITTED = {"abs": 1e-3}
"""Of a stacker fitted on another processor: its fit stops at a gradient of 1e-4, and rounding decides where."""
STUDIES = {"finished": {"complete": 3}, "owned": {"complete": 1}, "waiting": {"waiting": 1}}


class Notes(Observer):
    """Keeps what a run has to say."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as that version left it; to read only."""
    folder = tmp_path_factory.mktemp("9162383")
    shutil.unpack_archive(ARCHIVE, folder)
    return folder


@pytest.fixture(scope="module")
def expected(left: Path) -> dict[str, Any]:
    """What that version predicted and measured, and the trials that it recorded."""
    result: dict[str, Any] = json.loads((left / "said.json").read_text())
    return result


@pytest.fixture
def home(left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warm_fork_server: None) -> Path:
    """A copy of its home, in use."""
    home = shutil.copytree(left / "home", tmp_path / "home")
    monkeypatch.setenv("FERSEARCH_HOME", str(home))
    return home


def predicted(folder: Path, left: Path, **how: Any) -> list[dict[str, Any]]:
    """What this version says of the photographs, as that one wrote it down."""
    images = sorted((left / "photos").iterdir())
    predictions = api.predict(folder, images, **how)
    return [
        {"image": Path(one.image).name, "label": one.label, "probabilities": one.probabilities} for one in predictions
    ]


def same(predictions: list[dict[str, Any]], recorded: list[dict[str, Any]], close: dict[str, float] = CLOSE) -> None:
    """Assert that predictions are those that were recorded."""
    assert len(predictions) == len(recorded) > 0
    for one, other in zip(predictions, recorded, strict=True):
        assert (one["image"], one["label"]) == (other["image"], other["label"])
        assert one["probabilities"] == pytest.approx(other["probabilities"], **close)


def refitted(ensemble: Path) -> LogisticRegression:
    """What that version fitted from the answers of its members on validation, fitted again on this processor."""
    question = open_input(ensemble, EvaluationRequest(split="valid"))
    images = question.loaded.images[question.rows]
    answers = np.stack([member.probabilities(images) for member in api.load_checkpoint(ensemble).members])
    logs = np.log(np.maximum(answers.astype(np.float64), 1e-6)).transpose(1, 0, 2)
    return LogisticRegression(max_iter=2000).fit(logs.reshape(len(images), -1), question.labels)


def test_its_database_is_brought_up_to_date_and_each_study_gets_an_id_of_its_own(home):
    with open_store() as store:
        uids = [store.study(name).uid for name in STUDIES]
        again = store.identity
    assert len(set(uids)) == len(STUDIES)
    assert all(re.fullmatch("[0-9a-f]{32}", uid) for uid in (*uids, again))
    with open_store() as store:
        assert [store.study(name).uid for name in STUDIES] == uids
        assert store.identity == again


def test_its_studies_are_listed_and_each_trial_is_what_it_was(home, expected):
    assert {study.name: dict(study.counts) for study in api.list_studies()} == STUDIES
    for name in STUDIES:
        assert api.show_study(name).counts == STUDIES[name]
        trials = api.list_trials(name)
        stored = [{"number": t.number, "state": t.state.value, "params": t.params, "values": t.values} for t in trials]
        assert stored == expected["trials"][name]
        assert all(api.show_trial(name, trial.number).history for trial in trials)


def test_its_front_is_evaluated_exported_and_converted_to_optuna(home, expected):
    values = {trial["number"]: trial["values"]["accuracy"] for trial in expected["trials"]["finished"]}
    front = api.front("finished")
    assert front.baseline["accuracy"] == pytest.approx(0.225)
    assert [trial.number for trial in front.trials] == [number for number in values if values[number] > 0.225] == [0, 2]
    exported = json.loads(api.export_study("finished", "json"))["trials"]
    assert [[epoch["epoch"] for epoch in trial["history"]] for trial in exported] == [list(range(1, 21))] * 3
    assert len(api.to_optuna("finished").trials) == 3


def as_before(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return metrics without those that the older version did not have; all are there now."""
    later = ("ece", "brier", "temperature")
    assert set(later) <= set(metrics)
    return {name: value for name, value in metrics.items() if name not in later}


@pytest.mark.parametrize("name", ["pulled", "ensemble"])
def test_what_it_pulled_predicts_and_evaluates_as_it_did(home, left, expected, name):
    same(predicted(left / name, left), expected[name]["predictions"])
    view = api.evaluate(left / name)
    assert view.n == expected[name]["valid"]["n"]
    assert as_before(view.metrics) == pytest.approx(expected[name]["valid"]["metrics"], **CLOSE)


def test_a_pulled_plugin_is_loaded_from_beside_the_weights_and_runs_when_trusted(home, left, expected):
    folder = left / "pulled-own"
    with pytest.raises(PluginError, match="needs the code of"):
        api.load_checkpoint(folder)
    same(predicted(folder, left, trust_plugin=True), expected["pulled-own"]["predictions"])
    metrics = api.evaluate(folder, trust_plugin=True).metrics
    assert as_before(metrics) == pytest.approx(expected["pulled-own"]["valid"]["metrics"], **CLOSE)


def test_a_checkpoint_pulled_now_from_its_database_predicts_as_the_one_it_pulled(home, left, expected, tmp_path):
    folder = api.pull_checkpoint("finished", trial=0, out=tmp_path / "now").path
    same(predicted(folder, left), expected["pulled"]["predictions"])
    card = json.loads((folder / "card.json").read_text())
    assert card["metrics"] == json.loads((left / "pulled" / "card.json").read_text())["metrics"]


def test_an_ensemble_made_now_of_its_models_is_the_one_it_made(home, left, expected, tmp_path):
    made = api.make_ensemble(["finished"], tmp_path / "now", size=6, method="stacking", metric="auc_macro")
    then = json.loads((left / "ensemble" / "ensemble.json").read_text())
    assert [member.digest for member in made.members] == [member["digest"] for member in then["members"]]
    same(predicted(made.path, left), expected["ensemble"]["predictions"], REFITTED)
    fitted, reference = api.load_checkpoint(made.path).combination.stacker, refitted(left / "ensemble")
    assert fitted.coefficients == pytest.approx(reference.coef_, **CLOSE)
    assert fitted.intercepts == pytest.approx(reference.intercept_, **CLOSE)


def test_a_look_at_test_with_what_it_pulled_is_booked_on_its_study(home, left):
    assert api.show_study("finished").looks == []
    assert api.evaluate(left / "pulled", split="test").looks == 1
    assert [look.split for look in api.show_study("finished").looks] == ["test"]


def test_a_finished_study_goes_on_beside_the_trials_it_has(home, expected):
    notes = Notes()
    assert api.run_study("finished", trials=4, slots=1, observer=notes).counts == {"complete": 4}
    trials = api.list_trials("finished")
    assert [trial.values for trial in trials[:3]] == [trial["values"] for trial in expected["trials"]["finished"]]
    with open_store() as store:
        assert store.study("finished").data_digest
    assert sum("data" in line for line in notes.notes) == 1, notes.notes


def test_a_waiting_trial_begins_again_once_and_the_study_ends_as_if_it_had_not_stopped(home):
    """Its state says neither its study nor its data, so that it is not used."""
    notes = Notes()
    assert api.run_study("waiting", slots=1, observer=notes).counts == {"complete": 2}
    first, second = api.list_trials("waiting")
    assert [attempt.reason for attempt in first.attempts] == ["interrupted", "done"]
    assert [attempt.reason for attempt in second.attempts] == ["done"]
    assert first.attempts[1].first_epoch == 1
    for trial in (first, second):
        assert [epoch.number for epoch in api.show_trial("waiting", trial.number).history] == list(range(1, 9))
    assert sum("began again" in line for line in notes.notes) == 1, notes.notes
    rerun = api.rerun_trial("waiting", 0)
    assert rerun.equal, rerun.metrics


def test_a_study_with_a_network_of_its_own_goes_on_once_its_code_is_trusted(home):
    with pytest.raises(PluginError, match="have not allowed to run here") as refused:
        api.run_study("owned", trials=2, slots=1)
    assert "--trust-plugin" in refused.value.hint
    assert api.show_study("owned").counts == {"complete": 1}
    api.trust_plugins("owned")
    assert api.run_study("owned", trials=2, slots=1).counts == {"complete": 2}


def test_what_its_studies_keep_is_no_rubbish(home, expected):
    stored = {path.name for path in (home / "artifacts").iterdir() if not path.name.startswith(".")}
    api.collect_garbage()
    assert {path.name for path in (home / "artifacts").iterdir() if not path.name.startswith(".")} == stored
    assert len(stored) == 4


def test_its_files_hold_what_the_tests_claim(left):
    with sqlite3.connect(left / "home" / "fersearch.db") as connection:
        assert connection.execute("SELECT version_num FROM fersearch_schema").fetchall() == [("4",)]
    connection.close()
    assert json.loads((left / "pulled" / "card.json").read_text())["format"] == 1
    assert len(json.loads((left / "ensemble" / "ensemble.json").read_text())["members"]) == 2
    assert (left / "home" / "runs" / "3" / "0" / "last.pt").is_file()
    assert ARCHIVE.stat().st_size < 320_000
