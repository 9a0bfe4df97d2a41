"""`fersearch dataset export`, through the command line, and the same folder read again."""

import json

from fersearch import cli

FACES = "dataset export faces --option train=60 --option valid=10 --option test=10"


def test_a_folder_is_written_and_reads_again(capsys, tmp_path):
    assert cli.run([*FACES.split(), "-o", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "name": "faces",
        "path": str(tmp_path / "out"),
        "n": 80,
        "splits": {"train": 60, "valid": 10, "test": 10},
    }
    assert cli.run(["dataset", "show", "manifest", "--data", str(tmp_path / "out"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {part: facts["n"] for part, facts in shown["splits"].items()} == {"train": 60, "valid": 10, "test": 10}


def test_a_second_export_asks_for_force(capsys, tmp_path):
    line = [*FACES.split(), "-o", str(tmp_path / "faces.csv")]
    assert cli.run(line) == 0
    assert capsys.readouterr().out.startswith("80 images of faces are listed in ")
    assert cli.run(line) == 2
    assert "exists\n  name another file, or --force to replace it" in capsys.readouterr().err
    assert cli.run([*line, "--force"]) == 0
