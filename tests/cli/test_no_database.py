"""Commands where nothing was ever stored: listings are empty, a study is missed, and no database appears."""

import json

import pytest

from fersearch import cli

NAMING = [
    "study run s",
    "study show s",
    "study front s",
    "study delete s --yes",
    "study export s",
    "study report s -o r",
    "study compare s t",
    "trial list s",
    "trial show s 0",
    "trial rerun s 0",
    "checkpoint list s",
    "checkpoint pull s",
    "ensemble s --out e",
]


def test_a_listing_is_empty_with_a_hint(home, capsys):
    assert cli.run(["study", "list", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert err.startswith(f"note: no database exists at {home / 'fersearch.db'}; the first study creates it")
    assert not home.exists()


@pytest.mark.parametrize("command", NAMING)
def test_a_command_that_names_a_study_says_that_there_is_none(home, capsys, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run(command.split()) == 2
    out, err = capsys.readouterr()
    assert f"error: no database exists at {home / 'fersearch.db'}\n" in err
    assert out == ""
    assert not (home / "fersearch.db").exists()


def test_a_database_that_is_named_and_missing_is_not_made(home, capsys, tmp_path):
    assert cli.run(["study", "show", "s", "--storage", f"sqlite:///{tmp_path}/far/x.db"]) == 2
    assert f"error: no database exists at {tmp_path}/far/x.db\n" in capsys.readouterr().err
    assert not (tmp_path / "far").exists()


def test_creating_a_study_makes_it(home, capsys):
    arguments = "study create --model cnn --dataset faces --name s --no-run"
    assert cli.run(arguments.split()) == 0
    assert (home / "fersearch.db").exists()
    capsys.readouterr()
    assert cli.run(["study", "list", "--json"]) == 0
    out, err = capsys.readouterr()
    assert [study["name"] for study in json.loads(out)] == ["s"]
    assert err == ""
