"""Comparisons and dataset reports from real studies, to the files."""

import json

import pytest

from fersearch import api, cli
from fersearch.errors import UnknownName, UsageError
from tests.api.conftest import SETTINGS, SIZES

TINY = {**SIZES, "train": "60", "valid": "30", "test": "30"}


@pytest.fixture(scope="module")
def folded(study) -> list[str]:
    """Two small studies over the same three folds, beside the small one."""
    names = ["k/a", "k/b"]
    for seed, name in enumerate(names):
        spec = api.create_study(
            "cnn",
            "faces",
            name=name,
            trials=1,
            epochs="1",
            seed=seed,
            split="kfold",
            folds=3,
            objectives=("accuracy", "parameters"),
            dataset_options=TINY,
            settings=SETTINGS,
        )
        api.run_study(spec.name, in_process=True)
    return names


def test_studies_over_the_same_folds_are_tested_as_pairs(folded, tmp_path):
    from fersearch.report.comparison import paired_tests

    done = api.compare_studies(["k/*"], out=tmp_path / "out")
    result = done.result
    assert [entry.label for entry in result.entries] == folded
    assert result.metrics[0].name == "accuracy"
    first = result.entries[0]
    assert sorted(first.rounds) == [1, 2, 3]
    assert first.num_classes == 10
    assert first.digest == result.entries[1].digest != ""
    mean = sum(values["accuracy"] for values in first.rounds.values()) / 3
    assert first.trial.values["accuracy"] == pytest.approx(mean)
    tested, untested = paired_tests.tests(result, result.metrics[0])
    assert len(tested) == 1
    assert not untested
    assert tested[0].result.n == 3
    assert done.written is not None
    page = done.written.page.read_text(encoding="utf-8")
    assert "Comparison of k/a, k/b" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    for end in ("csv", "md", "tex"):
        assert (tmp_path / "out" / "tables" / f"results.{end}").stat().st_size
    assert (tmp_path / "out" / "plots" / "scores.png").stat().st_size


def test_a_front_gives_an_entry_for_each_trial(study, folded):
    every = api.compare_studies([study], by="front").result.entries
    front = api.front(study).trials
    assert len(every) == max(1, len(front))
    one = api.compare_studies([study, "k/a"], trials={study: 1}).result
    assert [entry.trial.number for entry in one.entries] == [1, 0]


def test_what_cannot_be_compared_is_reported(study, folded, tmp_path):
    with pytest.raises(UnknownName, match="unknown study"):
        api.compare_studies(["k/nobody"])
    with pytest.raises(UnknownName, match="unknown metric 'acuracy'"):
        api.compare_studies(["k/*"], metrics=["acuracy"])
    with pytest.raises(UsageError, match="no complete trial 9"):
        api.compare_studies([study], trials={study: 9})
    with pytest.raises(UsageError, match="unknown --by"):
        api.compare_studies(["k/*"], by="best")
    with pytest.raises(UnknownName, match="unknown study"):
        api.compare_studies(["k/*"], trials={"k/c": 0})
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(UsageError, match="exists"):
        api.compare_studies(["k/*"], out=tmp_path / "taken")


def test_a_study_without_a_complete_trial_is_left_out(folded):
    api.create_study("cnn", "faces", name="empty", trials=1, epochs="1", dataset_options=TINY, settings=SETTINGS)
    result = api.compare_studies(["k/a", "empty"]).result
    assert [entry.label for entry in result.entries] == ["k/a"]
    assert result.left_out == ["Study empty has no complete trial: left out."]
    with pytest.raises(UsageError, match="none of these studies has a complete trial"):
        api.compare_studies(["empty"])
    api.delete_study("empty")


def test_a_sweep_over_one_parameter(study, tmp_path):
    done = api.sweep_study(study, "optimizer", out=tmp_path / "sweep")
    assert len(done.result.trials) == 4
    assert done.written is not None
    assert "sweep" in done.written.tables
    with pytest.raises(UnknownName, match="unknown parameter 'optimiser'"):
        api.sweep_study(study, "optimiser")


def test_compare_on_the_command_line(folded, tmp_path, capsys):
    assert cli.run(["study", "compare", "k/*", "--json", "-o", str(tmp_path / "page")]) == 0
    record = json.loads(capsys.readouterr().out)
    assert [one["study"] for one in record["studies"]] == folded
    assert record["tests"]["accuracy"]["tested"][0]["n"] == 3
    assert record["page"] == str(tmp_path / "page" / "index.html")
    assert cli.run(["study", "compare", "k/*"]) == 0
    assert "Of 1 pair tested over the same rounds" in capsys.readouterr().out.replace("\n", " ")


def test_the_report_of_a_dataset(home, tmp_path):
    written = api.report_dataset("faces", tmp_path / "faces", options=TINY)
    assert {"class-distribution", "samples", "augmentation"} <= set(written.plots)
    page = written.page.read_text(encoding="utf-8")
    assert "Pixel intensities" in page
    with pytest.raises(UsageError, match="exists"):
        api.report_dataset("faces", tmp_path / "faces", options=TINY)
