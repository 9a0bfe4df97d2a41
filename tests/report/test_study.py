"""The report of a real small study, from the database to the page."""

from dataclasses import replace

import pytest

from fersearch import api
from fersearch.context import open_store
from fersearch.errors import DataError
from fersearch.report import prose, sections
from fersearch.report.gathering import gather
from fersearch.study import Constraint

SIZES = {"train": "60", "valid": "40", "test": "20"}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(folder))
        spec = api.create_study(
            "cnn",
            "faces",
            name="tiny",
            trials=2,
            epochs="2",
            seed=3,
            sampler="random",
            pruner="none",
            objectives=("accuracy", "parameters"),
            dataset_options=SIZES,
            settings={"batch_size": "32", "convolutions": "1"},
        )
        for _ in range(2):
            api.run_study(spec.name, in_process=True)
        yield spec.name


def test_a_report_from_the_database(study, tmp_path):
    written = api.write_report(study, tmp_path / "out")
    page = written.page.read_text()
    trials = api.list_trials(study)
    best = max(trials, key=lambda trial: trial.values["accuracy"])
    assert f"trial {best.number} with" in page
    assert "60 train, 40 valid, 20 test" in page
    assert "Test: never opened." in page
    assert "data:image/png" in page, "the model's mistakes are shown"
    assert {"roc", "confusion", "learning", "front", "history"} <= set(written.plots)
    assert "was recorded" not in page, "the model judges as it did when it was trained"
    assert api.show_study(study).looks == []


def test_a_lost_checkpoint_is_reported_in_its_place(study, monkeypatch, tmp_path):
    monkeypatch.setattr("fersearch.home.artifacts_folder", lambda: tmp_path)
    with open_store() as store:
        record = gather(store, store.study(study))
    assert record.predictions.why.startswith(f"The checkpoint of trial {record.best.number} is not available: artifact")
    assert sections.model.roc(record).parts[0].why == record.predictions.why


def test_the_best_of_a_report_keeps_the_study_s_bounds(study):
    trials = sorted(api.list_trials(study), key=lambda trial: trial.values["accuracy"])
    bound = Constraint("accuracy", "<=", trials[0].values["accuracy"])
    with open_store() as store:
        result = store.study(study)
        record = gather(store, replace(result, spec=replace(result.spec, where=(bound,))))
        nothing = gather(store, replace(result, spec=replace(result.spec, where=(Constraint("accuracy", "<=", -1.0),))))
    assert record.best.values["accuracy"] == trials[0].values["accuracy"]
    assert (nothing.best, nothing.front) == (None, [])
    assert "No trial is complete within the study's bounds" in prose.summary(nothing)[1]


def test_a_lost_dataset_is_reported_in_its_place(study, monkeypatch):
    monkeypatch.setattr("fersearch.data.arrays.prepare", refuse)
    with open_store() as store:
        record = gather(store, store.study(study))
    assert record.data.why == "The dataset is not available: no images found."
    assert record.predictions == record.data


def refuse(*_: object) -> None:
    raise DataError("no images found")
