"""A flag of one value counts once; given twice it is refused and not silently the last."""

import pytest

from fersearch import cli


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        (["study", "create", "--dataset", "faces", "--model", "cnn", "--dataset", "ferplus"], "--dataset"),
        (["study", "run", "x", "--trials", "3", "--trials=4"], "--trials"),
        (["trial", "show", "x", "1", "--storage", "a.db", "--storage", "b.db"], "--storage"),
        (["predict", "folder", "face.png", "--csv", "a.csv", "--csv", "b.csv"], "--csv"),
    ],
)
def test_a_single_value_flag_used_twice_is_a_usage_error(line, flag, capsys):
    assert cli.run(line) == 2
    assert capsys.readouterr().err == f"error: {flag} is given 2 times\n  give it once\n"


def test_a_repeated_model_is_refused_with_the_two_possible_meanings(capsys):
    assert cli.run(["study", "create", "--model", "cnn", "--dataset", "faces", "-m", "sanet"]) == 2
    problem, hint = capsys.readouterr().err.splitlines()
    assert problem == "error: --model is given 2 times: cnn, sanet"
    assert hint.startswith("  one study over all: --model cnn,sanet --one-study; a study each: ")


def test_repeatable_and_valueless_flags_may_be_repeated(tmp_path, capsys):
    line = ["study", "check", str(tmp_path / "none.toml"), "--set", "dropout=0", "--set", "batch_size=8"]
    assert cli.run(line) == 2
    assert "no study file" in capsys.readouterr().err
    assert cli.run(["dataset", "list", "--json", "--json"]) == 0


def test_a_missing_study_file_says_how_to_do_without(tmp_path, capsys):
    assert cli.run(["study", "create", str(tmp_path / "none.toml")]) == 2
    output = capsys.readouterr().err
    assert output.splitlines()[1].startswith("  without a file: fersearch study create --model cnn --dataset faces")
    (tmp_path / "nine.toml").touch()
    assert cli.run(["study", "create", str(tmp_path / "none.toml")]) == 2
    assert capsys.readouterr().err.splitlines()[1] == "  did you mean 'nine.toml'? known: nine.toml"
