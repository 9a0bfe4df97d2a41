"""The commands on a real study: what people read, and exactly the JSON that scripts rely on."""

import json

import numpy as np
import pytest
from PIL import Image

from fersearch import cli
from fersearch.api import records

CREATE = (
    "study create --model cnn --dataset faces --name tiny --trials 3 --epochs 2 --seed 3 --sampler random "
    "--pruner none --slots 2 --option train=120 --option valid=60 --option test=60 --set batch_size=32 "
    "--set convolutions=1 --objective accuracy --objective parameters --keep all"
)
TRIAL = {"schema", "number", "state", "params", "values", "epochs", "reason", "checkpoint", "data"}
TRIAL |= {"disturbed", "rough_latency", "interval"}


@pytest.fixture(scope="module")
def place(tmp_path_factory, warm_fork_server):
    """A home with one finished study in it, and what creating it printed."""
    from contextlib import redirect_stdout
    from io import StringIO

    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERSEARCH_HOME", str(home))
        patch.setenv("FERSEARCH_PLUGINS_DIR", str(home / "plugins"))
        patch.setenv("COLUMNS", "120")
        out = StringIO()
        with redirect_stdout(out):
            assert cli.run(CREATE.split()) == 0
    return home, out.getvalue()


@pytest.fixture
def ask(place, monkeypatch, capsys):
    """Run a command in that home and give its JSON."""
    monkeypatch.setenv("FERSEARCH_HOME", str(place[0]))

    def run(*arguments):
        capsys.readouterr()
        assert cli.run([*arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_creating_tells_each_trial_and_ends_with_what_to_type_next(place):
    lines = place[1].splitlines()
    assert "study tiny: cnn on faces, 3 trials, 2 at once" in lines
    assert sum(line.startswith("trial ") and " complete: accuracy " in line for line in lines) == 3
    assert lines[lines.index("next:") + 1 :][:2] == ["  fersearch study front tiny", "  fersearch trial list tiny"]


def test_the_trials_of_a_study(ask):
    trials = ask("trial", "list", "tiny")
    assert [trial["number"] for trial in trials] == [0, 1, 2]
    for trial in trials:
        assert set(trial) == TRIAL
        assert (trial["state"], trial["reason"], trial["epochs"]) == ("complete", "done", 2)
        assert trial["params"]["batch_size"] == 32
        assert set(trial["values"]) >= {"accuracy", "f1_macro", "train_seconds", "parameters"}
        assert len(trial["checkpoint"]) == 64


def test_the_front_is_a_list_of_trials_best_first(ask):
    front = ask("study", "front", "tiny")
    assert all(set(trial) == TRIAL | {"picks"} for trial in front)
    assert "best" in front[0]["picks"]
    assert sorted(rule for trial in front for rule in trial["picks"]) == ["best", "cheapest", "knee"]
    best = [trial["values"]["accuracy"] for trial in front]
    assert best == sorted(best, reverse=True)


def test_the_cheapest_that_is_as_good_as_the_best_is_pulled_and_what_it_costs_is_reported(place, ask, tmp_path, capsys):
    front = ask("study", "front", "tiny")
    chosen = next(trial for trial in front if "cheapest" in trial["picks"])
    best, error = front[0]["values"]["accuracy"], front[0]["values"]["accuracy_se"]
    near = [trial for trial in front if trial["values"]["accuracy"] >= best - error]
    assert chosen["values"]["parameters"] == min(trial["values"]["parameters"] for trial in near)
    assert cli.run(["checkpoint", "pull", "tiny", "-o", str(tmp_path / "out")]) == 0
    messages = capsys.readouterr().out.splitlines()
    assert messages[0].startswith(f"pulled trial {chosen['number']} into ")
    is_best = chosen["number"] == front[0]["number"]
    assert messages[1].startswith("next:" if is_best else f"best is trial {front[0]['number']}: +")
    pulled = ask("checkpoint", "pull", "tiny", "--prefer", "best", "-o", str(tmp_path / "best"))
    assert (pulled["trial"], "given_up" in pulled) == (front[0]["number"], False)


def test_a_bound_by_the_best_narrows_the_front(ask):
    front = ask("study", "front", "tiny")
    least = min(trial["values"]["accuracy"] for trial in front)
    within = ask("study", "front", "tiny", "--where", "accuracy>=1*best")
    assert [trial["number"] for trial in within] == [
        trial["number"] for trial in front if trial["values"]["accuracy"] == front[0]["values"]["accuracy"]
    ]
    assert ask("study", "front", "tiny", "--where", f"accuracy>={least}") == front


def test_one_trial_with_its_attempts_and_history(ask):
    trial = ask("trial", "show", "tiny", "1")
    assert set(trial) == TRIAL | {"kept_epoch", "verdict", "log", "attempts", "history"}
    assert [set(attempt) for attempt in trial["attempts"]] == [
        {"number", "reason", "first_epoch", "last_epoch", "seconds", "message", "traceback", "facts"}
    ]
    assert trial["attempts"][0]["facts"]["device"] == "cpu"
    assert (trial["attempts"][0]["first_epoch"], trial["attempts"][0]["last_epoch"]) == (1, 2)
    assert [epoch["epoch"] for epoch in trial["history"]] == [1, 2]
    assert all(set(epoch) == {"epoch", "round", "values", "seconds", "cpu_seconds"} for epoch in trial["history"])


def test_the_studies_and_one_study(ask, place):
    study = ask("study", "show", "tiny")
    assert set(study) == set(records.StudyDetail.model_fields) - {"schema_", "finish"} | {"schema"}
    assert study["keep"] == "all"
    assert study["state"] == "complete"
    assert study["objectives"] == ["accuracy:max", "parameters:min"]
    assert study["counts"] == {"complete": 3}
    assert study["space"]["batch_size"] == "32"
    assert study["storage"] == f"sqlite:///{place[0]}/fersearch.db"
    (listed,) = ask("study", "list")
    assert listed == {key: study[key] for key in listed}
    assert {"name", "model", "dataset", "state", "created", "objectives", "counts", "storage", "looks"} < set(listed)


def test_pull_predict_and_evaluate(ask, tmp_path):
    trials = ask("trial", "list", "tiny")
    pulled = ask("checkpoint", "pull", "tiny", "--trial", "0", "-o", str(tmp_path / "model"))
    assert pulled == {"schema": 1, "path": str(tmp_path / "model"), "trial": 0, "values": trials[0]["values"]}
    face = tmp_path / "face.png"
    Image.fromarray(np.full((60, 60), 90, np.uint8)).save(face)
    (prediction,) = ask("predict", str(tmp_path / "model"), str(face))
    assert set(prediction) == {"schema", "image", "label", "probabilities"}
    assert prediction["image"] == str(face)
    assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert prediction["probabilities"][prediction["label"]] == max(prediction["probabilities"].values())
    evaluated = ask("evaluate", str(tmp_path / "model"), "--dataset", "faces")
    assert set(evaluated) == {"schema", "dataset", "split", "n", "classes", "metrics", "per_class", "confusion"}
    assert (evaluated["dataset"], evaluated["split"], evaluated["n"]) == ("faces", "valid", 60)
    assert evaluated["metrics"]["accuracy"] == pytest.approx(trials[0]["values"]["accuracy"], abs=1e-4)


def test_a_look_at_test_is_recorded(ask, tmp_path):
    ask("checkpoint", "pull", "tiny", "--trial", "0", "-o", str(tmp_path / "model"))
    before = ask("study", "show", "tiny")["looks"]
    seen = ask("evaluate", str(tmp_path / "model"), "--dataset", "faces", "--split", "test")
    looks = ask("study", "show", "tiny")["looks"]
    assert len(looks) == len(before) + 1
    assert {key: looks[-1][key] for key in ("dataset", "split", "n")} == {"dataset": "faces", "split": "test", "n": 60}
    assert looks[-1]["metrics"]["accuracy"] == pytest.approx(seen["metrics"]["accuracy"])


def test_the_checkpoints_of_a_study(ask):
    trials = {trial["number"]: trial for trial in ask("trial", "list", "tiny")}
    rows = ask("checkpoint", "list", "tiny")
    assert [row["trial"] for row in rows] == [0, 1, 2]
    assert all(row["checkpoint"] == trials[row["trial"]]["checkpoint"] and row["megabytes"] > 0 for row in rows)


def test_a_datasets_counts_after_filtering(ask):
    options = ["--option", "train=120", "--option", "valid=60", "--option", "test=60"]
    dataset = ask("dataset", "show", "faces", *options)
    assert {name: part["n"] for name, part in dataset["splits"].items()} == {"train": 120, "valid": 60, "test": 60}
    assert sum(dataset["splits"]["train"]["per_class"].values()) == 120
    assert list(dataset["splits"]["train"]["per_class"]) == dataset["classes"]
    assert ask("dataset", "verify", "faces", *options)["dataset"] == "faces"
    assert ask("dataset", "prepare", "faces", *options)["name"] == "faces"
    assert {row["name"] for row in ask("dataset", "list")} >= {"faces", "ferplus", "imagefolder"}


def test_the_plugins_and_an_architectures_size(ask):
    rows = ask("plugin", "list")
    assert all(set(row) == {"schema", "kind", "name", "module", "summary"} for row in rows)
    assert {row["kind"] for row in rows} == {"architecture", "dataset", "metric", "observer"}
    assert ("architecture", "cnn", "fersearch_architectures.cnn") in [
        (row["kind"], row["name"], row["module"]) for row in rows
    ]
    shown = ask("plugin", "show", "cnn", "--classes", "10")
    described = {"schema", "kind", "name", "module", "summary", "space", "details"}
    assert set(shown) == described | {"parameters"}
    assert shown["parameters"] == {"total": 169_270, "trainable": 169_270}
    assert set(ask("plugin", "show", "accuracy")) == described


def test_a_plugin_that_fails_to_build_is_blamed_itself(tmp_path, capsys):
    file = tmp_path / "wrong.py"
    file.write_text(
        "from fersearch import Architecture, hookimpl\n"
        "class Wrong(Architecture):\n"
        "    name, stage_names = 'wrong', ('all',)\n"
        "    def build(self, params, task):\n"
        "        return 'no module'\n"
        "    def stages(self, model):\n"
        "        return [model]\n"
        "@hookimpl\n"
        "def register_architectures(register):\n"
        "    register(Wrong())\n"
    )
    assert cli.run(["plugin", "show", "wrong", "--plugin", str(file)]) == 1
    messages = capsys.readouterr().err
    assert f"architecture 'wrong' of {file} cannot be built: AttributeError" in messages
    assert f"fersearch plugin check {file}" in messages


def test_every_table_can_be_printed(place, monkeypatch, capsys):
    monkeypatch.setenv("FERSEARCH_HOME", str(place[0]))
    for arguments in (
        "study list",
        "study show tiny",
        "study front tiny",
        "trial list tiny",
        "trial show tiny 0",
        "checkpoint list tiny",
        "dataset list",
        "plugin list",
        "plugin show resnet18",
    ):
        assert cli.run(arguments.split()) == 0, arguments
        assert capsys.readouterr().out.strip()


def test_going_on_adds_trials_and_json_leaves_the_progress_to_standard_error(place, monkeypatch, capsys):
    monkeypatch.setenv("FERSEARCH_HOME", str(place[0]))
    assert cli.run(["study", "run", "tiny", "--trials", "4", "--slots", "1", "--json"]) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert record["counts"] == {"complete": 4}
    assert all(set(trial) == TRIAL | {"picks"} for trial in record["front"])
    assert "3 ended before" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("study show tyni", "error: unknown study 'tyni'\n  did you mean 'tiny'?"),
        ("trial show tiny 99", "error: the study has no trial 99\n"),
        ("study create --model cn --dataset faces", "error: unknown architecture 'cn'\n  did you mean 'cnn'?"),
        ("study create --model cnn --dataset fases", "error: unknown dataset 'fases'\n  did you mean 'faces'?"),
        ("study create --model cnn --dataset faces --set dropout=2", "error: dropout: 2 is not offered\n"),
        ("study create --model cnn --dataset faces --objective f1", "error: unknown metric 'f1'\n"),
        ("checkpoint pull tiny --where peak<=1", "error: unknown metric 'peak'\n"),
        ("checkpoint pull tiny --where peak_memory_mb", "error: 'peak_memory_mb' is not a constraint\n"),
    ],
)
def test_mistyped_words_are_reported_with_the_likely_ones(place, monkeypatch, capsys, arguments, message):
    monkeypatch.setenv("FERSEARCH_HOME", str(place[0]))
    assert cli.run(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)


@pytest.mark.parametrize("arguments", ["--slots-per-gpu none", "--ray-address auto", "--grace soon", "--slots 0"])
def test_invalid_options_of_a_run_store_no_study(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    assert cli.run(f"study create --model cnn --dataset faces {arguments}".split()) == 2
    assert capsys.readouterr().err.startswith(f"error: {arguments.split()[0]}")
    assert cli.run(["study", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
