"""The calls of the API that each command makes, with the API's verbs replaced."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fersearch import api, cli
from fersearch.api.checkpoints import Pulled
from fersearch.api.plugins import CheckReport
from fersearch.api.studies import StudyView, TrialView
from fersearch.engines.rerun import Rerun
from fersearch.run_options import RunOptions
from fersearch.study_front import Front
from tests.cli.fakes import CREATED, OBJECTIVES, SPEC, trial
from tests.evaluation.test_finished import FINISH

VIEW = StudyView("cnn-faces", SPEC, CREATED, {"complete": 2}, "sqlite:///x.db", [], {}, 95.0, [])


@pytest.fixture
def verb(monkeypatch):
    """Replace a verb by one that records its arguments and returns `answer`."""

    def replace(name, answer=None):
        calls = []

        def fake(*args, **kwargs):
            kwargs = {key: value for key, value in kwargs.items() if key not in ("observer", "progress")}
            calls.append((args, kwargs))
            return answer

        monkeypatch.setattr(api, name, fake)
        return calls

    return replace


def test_create_passes_only_the_flags_used(verb):
    created, ran = verb("create_study", SPEC), verb("run_study", VIEW)
    verb("front", Front("cnn-faces", [trial(0, 0.6, 1, 1)], OBJECTIVES, {}))
    assert cli.run(["study", "create", "--model", "cnn", "--dataset", "faces"]) == 0
    assert created == [((), {"model": "cnn", "dataset": "faces", "plugins": [], "storage": None})]
    assert ran == [(("cnn-faces", RunOptions()), {"storage": None})]


def test_create_hands_over_every_flag(verb):
    created = verb("create_study", SPEC)
    ran, checked = verb("run_study", VIEW), verb("check_run")
    verb("front", Front("cnn-faces", [], OBJECTIVES, {}))
    arguments = (
        "study create --model cnn --dataset ferplus --data /d --option classes=10 --image-size 64 --channels 3 "
        "--target votes --split official --limit 500 --set optimizer=sgd,adam --set dropout=0..0.2 --weights w.pt "
        "--plugin p.py --plugin q.py --name mine --objective f1_macro --objective log_loss:min --trials 9 "
        "--timeout 2m --epochs 2..4 --seed 0 --sampler random --pruner none --precision bf16 "
        "--memory-format channels_last --slots 3 --slots-per-gpu 2 --threads-per-slot 4 --exclusive-timing "
        "--in-process --engine ray --ray-address auto --artifacts s3://b --storage sqlite:///s.db"
    )
    assert cli.run(arguments.split()) == 0
    assert created[0][1] == {
        "model": "cnn",
        "dataset": "ferplus",
        "data": Path("/d"),
        "dataset_options": {"classes": "10", "image_size": "64", "channels": "3"},
        "settings": {"optimizer": "sgd,adam", "dropout": "0..0.2", "target": "votes"},
        "split": "official",
        "limit": 500,
        "weights": "w.pt",
        "plugins": [Path("p.py"), Path("q.py")],
        "name": "mine",
        "objectives": ["f1_macro", "log_loss:min"],
        "trials": 9,
        "timeout": 120.0,
        "epochs": "2..4",
        "seed": 0,
        "sampler": "random",
        "pruner": "none",
        "precision": "bf16",
        "memory_format": "channels_last",
        "storage": "sqlite:///s.db",
    }
    options = RunOptions(
        3, "2", 4, in_process=True, engine="ray", ray_address="auto", artifacts="s3://b", exclusive_timing=True
    )
    assert ran[0] == (("cnn-faces", options), {"storage": "sqlite:///s.db"})
    assert checked == [((options,), {})]


def test_create_ends_with_the_front_and_the_commands_to_type_next(verb, capsys):
    verb("create_study", SPEC)
    verb("run_study", VIEW)
    verb("front", Front("cnn-faces", [trial(4, 0.6, 1, 1)], OBJECTIVES, {}))
    cli.run(["study", "create", "--model", "cnn", "--dataset", "faces"])
    out = capsys.readouterr().out
    assert "Pareto front of cnn-faces: 1 trial\n" in out
    assert out.endswith(
        "next:\n"
        "  fersearch study front cnn-faces\n"
        "  fersearch trial list cnn-faces\n"
        "  fersearch checkpoint pull cnn-faces\n"
        "  fersearch predict cnn-faces-trial-4 FACE.png\n"
    )


def test_what_to_type_after_a_study_with_a_plugin_trusts_it(verb, capsys):
    verb("create_study", SPEC)
    verb("run_study", replace(VIEW, plugins=["own.py"]))
    verb("front", Front("cnn-faces", [trial(4, 0.6, 1, 1)], OBJECTIVES, {}))
    cli.run(["study", "create", "--model", "cnn", "--dataset", "faces"])
    assert capsys.readouterr().out.endswith("  fersearch predict cnn-faces-trial-4 FACE.png --trust-plugin\n")
    verb("pull_checkpoint", Pulled(Path("out"), 4, {}, ["own-12345678.py"]))
    cli.run(["checkpoint", "pull", "cnn-faces"])
    assert capsys.readouterr().out.endswith("next:\n  fersearch predict out FACE.png --trust-plugin\n")


def test_what_to_type_next_finds_the_checkpoints_where_a_flag_put_them(verb, capsys, monkeypatch):
    monkeypatch.setenv("FERSEARCH_ARTIFACTS", "")
    verb("check_run")
    verb("create_study", SPEC)
    verb("run_study", VIEW)
    verb("front", Front("cnn-faces", [trial(4, 0.6, 1, 1)], OBJECTIVES, {}))
    cli.run(["study", "create", "--model", "cnn", "--dataset", "faces", "--artifacts", "s3://bucket/faces"])
    assert "next:\n  export FERSEARCH_ARTIFACTS=s3://bucket/faces\n  fersearch study front" in capsys.readouterr().out


def test_a_study_without_a_complete_trial_is_a_failure_that_says_where_to_look(verb, capsys):
    verb("create_study", SPEC)
    verb("run_study", StudyView("cnn-faces", SPEC, CREATED, {"failed": 2}, "", [], {}, 1.0, []))
    verb("front", Front("cnn-faces", [], OBJECTIVES, {}))
    assert cli.run(["study", "create", "--model", "cnn", "--dataset", "faces"]) == 1
    message = "error: every trial of study 'cnn-faces' failed\n  see why: fersearch trial show cnn-faces 0\n"
    assert capsys.readouterr().err == message


def test_create_without_running_says_how_to_run(verb, capsys):
    verb("create_study", SPEC)
    ran = verb("run_study")
    assert cli.run(["study", "create", "--model", "cnn", "--dataset", "faces", "--no-run"]) == 0
    assert ran == []
    assert capsys.readouterr().out == "created study cnn-faces\nnext:\n  fersearch study run cnn-faces\n"


def test_create_from_a_file_hands_over_its_path_and_the_flags(verb):
    created = verb("create_from_file", [SPEC])
    assert cli.run(["study", "create", "a.toml", "--trials", "3", "--plugin", "p.py", "--no-run"]) == 0
    assert created == [((Path("a.toml"), {"trials": 3}), {"plugins": [Path("p.py")], "storage": None})]


def test_create_without_model_and_dataset_says_what_to_name(capsys):
    assert cli.run(["study", "create", "--model", "cnn"]) == 2
    assert capsys.readouterr().err == (
        "error: --dataset missing\n"
        "  name them: `fersearch plugin list`; or give a study file. To try it: --model cnn --dataset faces\n"
    )


def test_run_hands_over_its_flags(verb):
    ran = verb("run_study", VIEW)
    verb("front", Front("cnn-faces", [], OBJECTIVES, {}))
    assert cli.run(["study", "run", "cnn-faces", "--trials", "30", "--timeout", "1h"]) == 0
    assert ran[0][0] == ("cnn-faces", RunOptions(trials=30, timeout=3600.0))


def test_check_prints_the_space_and_stores_nothing(verb, capsys):
    checked = verb("check_file", [SPEC])
    assert cli.run(["study", "check", "a.toml", "--set", "dropout=0"]) == 0
    assert checked == [((Path("a.toml"), {"settings": {"dropout": "0"}}), {"plugins": []})]
    assert capsys.readouterr().out.startswith("a.toml is valid\n\nstudy cnn-faces\n")


def test_delete_refuses_without_a_terminal_and_obeys_yes(verb, capsys):
    verb("show_study", VIEW)
    deleted = verb("delete_study")
    assert cli.run(["study", "delete", "cnn-faces"]) == 2
    assert deleted == []
    assert capsys.readouterr().err == (
        "error: delete study 'cnn-faces' with 2 trials and their checkpoints: there is no terminal to ask on\n"
        "  give --yes to confirm\n"
    )
    assert cli.run(["study", "delete", "cnn-faces", "--yes"]) == 0
    assert deleted == [(("cnn-faces", None), {})]


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130)])
def test_delete_asks_on_a_terminal(verb, monkeypatch, answer, code):
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    verb("show_study", VIEW)
    deleted = verb("delete_study")
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    monkeypatch.setattr("sys.stdout", Terminal())
    assert cli.run(["study", "delete", "cnn-faces"]) == code
    assert len(deleted) == (code == 0)


def test_export_writes_a_file_but_never_over_another(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(api, "write_export", lambda out, *_: out.write("number,state\n"), raising=False)
    assert cli.run(["study", "export", "cnn-faces"]) == 0
    assert capsys.readouterr().out == "number,state\n"
    out = tmp_path / "trials.csv"
    assert cli.run(["study", "export", "cnn-faces", "-o", str(out)]) == 0
    assert out.read_text() == "number,state\n"
    assert cli.run(["study", "export", "cnn-faces", "-o", str(out)]) == 2
    assert cli.run(["study", "export", "cnn-faces", "-o", str(out), "--force"]) == 0


def test_pull_hands_over_its_choice_and_prints_only_json(verb, capsys):
    pulled = verb("pull_checkpoint", Pulled(Path("out"), 4, {"f1_macro": float("nan")}))
    arguments = ["--prefer", "knee", "--where", "peak_memory_mb<=500", "-o", "out", "--force", "--json"]
    assert cli.run(["checkpoint", "pull", "cnn-faces", *arguments]) == 0
    expected_call = {
        "trial": None,
        "prefer": "knee",
        "where": ["peak_memory_mb<=500"],
        "out": Path("out"),
        "force": True,
    }
    assert pulled == [
        (("cnn-faces",), {**expected_call, "format": "safetensors", "trust_plugin": False, "storage": None}),
    ]
    assert json.loads(capsys.readouterr().out) == {
        "schema": 1,
        "path": "out",
        "trial": 4,
        "values": {"f1_macro": None},
    }


def test_a_plugin_that_breaks_its_contract_is_a_failure(verb, capsys):
    verb("check_plugin", CheckReport(False, ("architecture x", "  wrong shape")))
    assert cli.run(["plugin", "check", "x.py"]) == 1
    assert capsys.readouterr().out == "architecture x\n  wrong shape\nx.py violates the contract\n"


def test_version(capsys):
    from fersearch import __version__

    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"fersearch {__version__}\n"


def test_run_hands_over_where_the_data_is_and_that_other_data_is_accepted(verb):
    ran = verb("run_study", VIEW)
    verb("front", Front("cnn-faces", [], OBJECTIVES, {}))
    assert cli.run(["study", "run", "cnn-faces", "--data", "/moved", "--accept-data-change"]) == 0
    assert ran[0][0] == ("cnn-faces", RunOptions(data=Path("/moved"), accept_data_change=True))


def test_rerun_hands_over_where_the_data_is(verb):
    verb("show_trial", TrialView(trial(0, 0.6, 1, 1), []))
    reran = verb("rerun_trial", Rerun("cnn-faces", 0, 0, 1, (1, 1), (), ()))
    assert cli.run(["trial", "rerun", "cnn-faces", "0", "--data", "/moved"]) == 0
    assert reran[0][1]["data"] == Path("/moved")


def test_finish_hands_over_its_options_and_prints_the_line(verb, capsys):
    expected_call = verb("finish_study", FINISH)
    arguments = [
        "--finalists",
        "2",
        "--seeds",
        "4",
        "--epochs",
        "40",
        "--slots",
        "1",
        "--unseen",
        "jaffe",
        "--unseen",
        "imagefolder=x",
    ]
    assert cli.run(["study", "finish", "cnn-faces", *arguments]) == 0
    ((name, options), args) = expected_call[0]
    assert (name, options.slots) == ("cnn-faces", 1)
    assert {key: args[key] for key in ("finalists", "seeds", "epochs", "unseen", "storage")} == {
        "finalists": 2,
        "seeds": 4,
        "epochs": 40,
        "unseen": ["jaffe", "imagefolder=x"],
        "storage": None,
    }
    assert capsys.readouterr().out == f"{FINISH.line}\n"
    assert cli.run(["study", "finish", "cnn-faces", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["line"] == FINISH.line


def test_the_tradeoff_is_reported_with_the_pulled_trial(verb, capsys):
    verb("pull_checkpoint", Pulled(Path("out"), 4, {}, given_up="best is trial 7: +0.012 f1_macro; --prefer best"))
    assert cli.run(["checkpoint", "pull", "cnn-faces"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "pulled trial 4 into out/",
        "best is trial 7: +0.012 f1_macro; --prefer best",
    ]
