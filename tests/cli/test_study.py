"""`study report`: the call of the API, and the message when a report cannot be written."""

from pathlib import Path

import pytest

from fersearch import api, cli
from fersearch.report.folder import MARK, Written


def test_it_hands_over_every_flag(monkeypatch, capsys):
    calls = []

    def fake(*args, **kwargs):
        calls.append((args, kwargs))
        return Written(Path("out"), Path("out/index.html"), ("a", "b"), ("c",))

    monkeypatch.setattr(api, "write_report", fake)
    assert cli.run(["study", "report", "mine", "-o", "out", "--trials", "3", "--force", "--storage", "s.db"]) == 0
    assert calls == [(("mine", Path("out")), {"trials": 3, "force": True, "storage": "s.db"})]
    assert capsys.readouterr().out == "wrote out/index.html, 2 plots and 1 tables\n"


def test_a_missing_folder_is_a_usage_error(capsys):
    assert cli.run(["study", "report", "mine"]) == 2
    assert "--out" in capsys.readouterr().err


@pytest.fixture
def study(home):
    sizes = {"train": "40", "valid": "20", "test": "20"}
    return api.create_study("cnn", "faces", name="small", trials=1, epochs="1", dataset_options=sizes).name


def test_an_unknown_study_is_reported(study, capsys, tmp_path):
    assert cli.run(["study", "report", "smal", "-o", str(tmp_path / "out")]) == 2
    assert "unknown study 'smal'\n  did you mean 'small'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_exists_is_refused_before_anything_is_read(study, capsys, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MARK).touch()
    assert cli.run(["study", "report", study, "-o", str(tmp_path / "out")]) == 2
    assert "--force to replace" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "out").iterdir()] == [MARK]


def test_no_trials_at_all_are_refused(study, capsys, tmp_path):
    assert cli.run(["study", "report", study, "-o", str(tmp_path / "out"), "--trials", "0"]) == 2
    assert "--trials 0 is too small" in capsys.readouterr().err


def test_a_study_that_never_ran_has_a_report_that_says_so(study, capsys, tmp_path):
    assert cli.run(["study", "report", study, "-o", str(tmp_path / "out")]) == 0
    assert "No trial is complete" in (tmp_path / "out" / "index.html").read_text()
