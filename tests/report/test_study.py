"""The report of a real small study, from the database to the page."""

from pathlib import Path

import pytest

from fersearch import api
from fersearch.errors import UsageError
from fersearch.home import artifacts_folder
from fersearch.report.pack import MARK

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


def test_force_replaces_a_report_and_nothing_else_does(study, tmp_path):
    first = api.write_report(study, tmp_path / "out")
    (first.path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        api.write_report(study, tmp_path / "out")
    assert (first.path / "note.txt").exists()
    api.write_report(study, tmp_path / "out", force=True)
    assert not (first.path / "note.txt").exists()
    assert (first.path / MARK).exists()


def test_a_lost_checkpoint_is_said_in_its_place(study, tmp_path):
    best = api.front(study).trials or api.list_trials(study)
    files = [Path(artifacts_folder() / trial.checkpoint) for trial in api.list_trials(study)]
    contents = [file.read_bytes() for file in files]
    assert best
    try:
        for file in files:
            file.unlink()
        page = api.write_report(study, tmp_path / "out").page.read_text()
    finally:
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
    assert "is not at hand: artifact" in page
    assert 'id="confusion"' in page
