"""Commands about study files, datasets and plugins print with a service what they print on this machine."""

from pathlib import Path

import pytest

from tests.api.test_remote_reports import Shell, gate, roots, service, shell  # noqa: F401 - fixtures

FILE = """
model = ["cnn", "sanet"]
trials = 3
[dataset]
name = "faces"
options = { train = 80, valid = 40, test = 40 }
[space]
learning_rate = { low = 0.001, high = 0.1 }
"""
WRONG = 'model = "cnm"\ndataset = "faces"\ntrials = 0\nsampler = "tpee"\n[space]\nlearning_rate = 50\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which study files are written and named."""
    monkeypatch.chdir(tmp_path)
    Path("grid.toml").write_text(FILE, encoding="utf-8")
    Path("wrong.toml").write_text(WRONG, encoding="utf-8")
    Path("broken.toml").write_text("model = ", encoding="utf-8")
    Path("plugged.toml").write_text(FILE.replace("trials", "plugins = ['x.py']\ntrials"), encoding="utf-8")
    Path("placed.toml").write_text(FILE.replace("[space]", "data = '/etc'\n[space]"), encoding="utf-8")
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "arguments",
    [
        ["study", "check", "grid.toml"],
        ["study", "check", "grid.toml", "--model", "cnn", "--set", "dropout=0.1", "--trials", "9"],
        ["study", "check", "grid.toml", "--one-study"],
        ["study", "schema"],
        ["dataset", "show", "faces", "--option", "train=80", "--option", "valid=40", "--option", "test=40"],
        ["dataset", "show", "faces", "--image-size", "16", "--option", "train=80", "--json"],
        ["plugin", "show", "cnn", "--layers", "--set", "width=2", "--image-size", "32"],
        ["plugin", "show", "faces", "--json"],
    ],
)
def test_a_command_prints_there_what_it_prints_here(shell: Shell, arguments: list[str]):  # noqa: F811
    assert shell(*arguments) == shell(*arguments, here=True)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "arguments",
    [
        ["study", "check", "wrong.toml"],
        ["study", "check", "broken.toml"],
        ["study", "check", "nothing.toml"],
        ["study", "check", "grid.toml", "--model", "cnm"],
        ["dataset", "show", "facse"],
        ["dataset", "show", "faces", "--option", "colour=red"],
        ["plugin", "show", "cnm"],
        ["plugin", "show", "cnn", "--set", "width=many"],
    ],
)
def test_a_command_fails_there_as_it_fails_here(shell: Shell, arguments: list[str]):  # noqa: F811
    assert shell(*arguments, code=2) == shell(*arguments, here=True, code=2)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "check", "plugged.toml"], "plugins: code is not taken from a request"),
        (["study", "check", "placed.toml"], "dataset.data: '/etc' is not below a data root"),
        (["study", "check", "grid.toml", "--plugin", "x.py"], "--plugin was given with --server"),
        (["dataset", "show", "imagefolder", "--data", "/etc"], "dataset.data: '/etc' is not below a data root"),
        (["dataset", "show", "faces", "--plugin", "x.py"], "--plugin was given with --server"),
        (["plugin", "show", "cnn", "--plugin", "x.py"], "--plugin was given with --server"),
    ],
)
def test_neither_code_nor_a_foreign_path_is_taken(shell: Shell, arguments: list[str], message: str):  # noqa: F811
    assert message in shell(*arguments, code=2)
