"""Malformed flags and study files: any input is answered with a message, and never with a traceback."""

import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch import cli

SOUND = """
name = "sound"
model = "cnn"
dataset = "faces"
objectives = ["f1_macro", "train_seconds:min"]
trials = 3
timeout = "1h"
epochs = 2
limit = 50
seed = 1
keep = "best 2"

[space]
learning_rate = {low = 0.001, high = 0.1}
batch_size = [32, 64]
dropout = "0..0.5"

[protocol]
split = "kfold"
folds = 3
seed = 4
"""
ODD_VALUES = (
    *("-1", "0", "1e999", "nan", "-inf", "9" * 25, "9" * 5000, "true", '""', '"x"', '"a\\u0000b"', '"\\u001b[31m"'),
    *("[]", "[[]]", "{}", "{low = 1}", "{low = 2, high = 1}", '{low = "a", high = nan}', '["a", 1, true]', '"1..2..3"'),
    *(
        "[" * 40 + "]" * 40,
        "[" * 3000 + "]" * 3000,
        "1979-05-27T07:32:00Z",
        '"' + "é" * 300 + '"',
        "'..'",
        "0x7fffffff",
    ),
)
FLAGS = (
    *("--data", "--option", "--image-size", "--channels", "--split", "--by", "--ratios", "--split-seed", "--folds"),
    *("--repeats", "--duplicates", "--limit", "--set", "--weights", "--plugin", "--name", "--objective", "--trials"),
    *("--timeout", "--epochs", "--seed", "--sampler", "--pruner", "--precision", "--refit", "--unseen", "--keep"),
    *("--memory-format",),
)
ODD_WORDS = (
    *("", "-1", "0", "1e400", "nan", "inf", "9" * 30, "9" * 5000, "x" * 300, "x" * 5000, "/dev/null", "/dev/null/x"),
    *(
        "=",
        "a=",
        "a=2..1",
        "a=1,,2",
        "learning_rate=nan..1",
        "batch_size=0",
        "batch_size=1.5",
        "epochs=-1",
        "dropout=2",
    ),
    *(
        "0,0,0",
        "nan,0,1",
        "1,0,0",
        "\udcff",
        "a\nb",
        "\x1b[31m",
        "f1_macro:up",
        ":max",
        "best -1",
        "{",
        "*",
        "1_0",
        "３",
    ),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(folder))
        patch.setenv("FERSEARCH_PLUGINS_DIR", str(folder / "none"))
        patch.delenv("FERSEARCH_STORAGE", raising=False)
        patch.chdir(folder)
        yield folder


def answered(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run a command line; returns its exit code and its output, which is not a traceback."""
    code = cli.run(arguments)
    messages = capsys.readouterr().err
    assert "a bug in fersearch" not in messages, (arguments, messages)
    assert code in (0, 1, 2), (arguments, code)
    assert code == 0 or "error: " in messages, (arguments, messages)
    return code, messages


def test_odd_flags_are_answered(home, capsys):
    chance = random.Random(7)
    for count in range(60):
        arguments = ["study", "create", "--model", "cnn", "--dataset", "faces", "--no-run", "--name", f"s{count}"]
        answered([*arguments, chance.choice(FLAGS), chance.choice(ODD_WORDS)], capsys)


def test_odd_study_files_are_answered(home, capsys):
    chance, lines = random.Random(8), SOUND.strip().splitlines()
    keys = [place for place, line in enumerate(lines) if " = " in line]
    for _ in range(60):
        changed = list(lines)
        for place in chance.sample(keys, 2):
            changed[place] = f"{changed[place].partition(' = ')[0]} = {chance.choice(ODD_VALUES)}"
        Path("odd.toml").write_text("\n".join(changed), encoding="utf-8")
        answered(["study", "check", "odd.toml"], capsys)
    Path("odd.toml").write_text(SOUND, encoding="utf-8")
    assert cli.run(["study", "check", "odd.toml"]) == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('"a\\u0000b"', "name: holds a null character"),
        (
            "[" * 40 + "]" * 40,
            "name: nested too deeply; a study file has tables in tables and lists of values, no more",
        ),
        ("[" * 3000 + "]" * 3000, "nested too deeply; a study file has tables in tables and lists of values, no more"),
        ("9" * 5000, "not TOML: Exceeds the limit"),
    ],
)
def test_what_no_study_file_may_hold_is_named(home, capsys, value, message):
    Path("odd.toml").write_text(f"name = {value}\n", encoding="utf-8")
    code, output = answered(["study", "check", "odd.toml"], capsys)
    assert code == 2
    assert output.startswith(f"error: odd.toml: 1 mistake\n  {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split-seed", "-1"], "error: split_seed -1 is too small\n  give 0 or more\n"),
        (["--seed", "9" * 20], f"error: seed {'9' * 20} is too large\n  give {2**63 - 1} at most\n"),
    ],
)
def test_seeds_are_numbers_that_generators_take(home, capsys, arguments, message):
    create = ["study", "create", "--model", "cnn", "--dataset", "faces", "--no-run", "--name", "seeded", *arguments]
    assert answered(create, capsys) == (2, message)
    assert cli.run(["study", "show", "seeded"]) == 2


METRIC = """
from fersearch import hookimpl
from fersearch.components import Metric

class Own(Metric):
    name = "own"

    def compute(self, evaluation):
        {body}

@hookimpl
def register_metrics(register):
    register(Own())
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('raise KeyError("oh")', "metric 'own' of plugin own.py failed: KeyError: 'oh'"),
        ('return "high"', "metric 'own' of plugin own.py gives 'high', which is not a number"),
    ],
)
def test_a_metric_that_fails_is_named_before_its_study_is_stored(home, capsys, body, message):
    Path("own.py").write_text(METRIC.format(body=body), encoding="utf-8")
    create = ["study", "create", "--model", "cnn", "--dataset", "faces", "--no-run", "--name", "judged"]
    code, output = answered([*create, "--plugin", "own.py", "--objective", "own"], capsys)
    assert code == 1
    assert f"error: {message}\n  check it with: fersearch plugin check own.py\n" in output
    assert cli.run(["study", "show", "judged"]) == 2


@pytest.fixture(scope="module")
def images(home: Path) -> Path:
    """Twelve images of two classes each, three of another."""
    chance = np.random.default_rng(0)
    for name, count in (("angry", 12), ("happy", 12), ("sad", 3)):
        folder = home / "set" / name
        folder.mkdir(parents=True)
        for number in range(count):
            Image.fromarray(chance.integers(0, 255, (8, 8), dtype=np.uint8)).save(folder / f"{number}.png")
    return home / "set"


def test_more_folds_than_the_smallest_class_allows(images, capsys):
    create = ["study", "create", "--model", "cnn", "--dataset", "imagefolder", "--data", "set", "--no-run"]
    code, output = answered([*create, "--name", "folded", "--folds", "5"], capsys)
    assert code == 2
    assert (
        "error: class 'sad' has 3 images, which cannot be divided into 5 folds\n"
        "  use 3 folds or fewer, leave the class out, or draw without regard to classes: by = chance\n"
    ) in output
    assert cli.run(["study", "show", "folded"]) == 2
    assert answered([*create, "--name", "folded", "--folds", "3"], capsys)[0] == 0
    assert answered([*create, "--name", "by-chance", "--folds", "5", "--by", "chance"], capsys)[0] == 0


def test_batches_of_one_image_and_batch_normalisation(images, capsys):
    create = ["study", "create", "--dataset", "imagefolder", "--data", "set", "--image-size", "32", "--no-run"]
    code, output = answered([*create, "--model", "resnet18", "--name", "one", "--set", "batch_size=1,2"], capsys)
    assert code == 2
    assert (
        "error: resnet18 with batch_size=1: batch normalisation cannot learn from batches of one image\n"
        "  give batch sizes of 2 or more, as in --set batch_size=2\n"
    ) in output
    assert cli.run(["study", "show", "one"]) == 2


def test_a_folder_1500_deep_is_looked_through(home, capsys):
    top = Path.cwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(top)
        Path("deep/angry").mkdir(parents=True)
        patch.chdir("deep/angry")
        for _ in range(1500):
            Path("d").mkdir()
            patch.chdir("d")
    try:
        code, output = answered(["dataset", "show", "imagefolder", "--data", "deep"], capsys)
    finally:
        subprocess.run(["rm", "-rf", "deep"], check=True)  # pytest's own removal of old folders recurses, and fails
    assert code == 2
    assert output.startswith("error: no images found in")


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("x" * 300, "error: File name too long: "),
        ("/dev/null/x", "error: "),
    ],
)
def test_a_path_that_cannot_be_is_a_mistake(home, capsys, out, message):
    assert (
        cli.run(["study", "create", "--model", "cnn", "--dataset", "faces", "--no-run", "--name", f"e{len(out)}"]) == 0
    )
    capsys.readouterr()
    code, output = answered(["study", "export", f"e{len(out)}", "-o", out], capsys)
    assert code == 2
    assert output.startswith(message)


def test_a_name_that_is_no_text_is_unknown(home, capsys):
    code, output = answered(["study", "show", "\udcff"], capsys)
    assert code == 2
    assert "\\xff" in output
