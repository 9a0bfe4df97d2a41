"""From create to pull on a real study: what was recorded is what the pulled model does."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch import api
from fersearch.errors import PluginError, UnknownName, UsageError
from fersearch.evaluation.calibration import calibrated, temperature_of

CLOSE = {"abs": 1e-4}


@pytest.fixture
def best(study):
    return max(api.list_trials(study), key=lambda trial: trial.values["accuracy"])


def test_every_trial_is_stored_completely(study):
    for trial in api.list_trials(study):
        view = api.show_trial(study, trial.number)
        assert [epoch.number for epoch in view.history] == [1, 2]
        assert view.trial.attempts[0].reason == "done"
        assert np.sum(view.history[-1].confusion) == 120
        assert Path(view.log).exists()
        best_epoch = view.history[trial.kept_epoch - 1]
        assert trial.values["accuracy"] == best_epoch.values["accuracy"]


def test_the_study_says_what_was_searched_and_where(study):
    view = api.show_study(study)
    assert view.space["batch_size"] == "32"
    assert view.storage.startswith("sqlite:///")
    assert view.baseline["accuracy"] == pytest.approx(0.1, abs=0.1)
    assert view.environments
    assert any(summary.name == study for summary in api.list_studies())


def test_the_front_holds_the_best_and_nothing_dominated(study, best):
    front = api.front(study)
    numbers = [trial.number for trial in front.trials]
    if best.values["accuracy"] > front.baseline["accuracy"]:
        assert best.number == numbers[0]
    assert front.trials == [api.show_trial(study, number).trial for number in numbers]
    assert "accuracy" in front.trials[0].values
    assert api.front(study, where=["train_seconds>=0"]).trials == front.trials


def test_a_pulled_checkpoint_gives_what_the_store_recorded(study, best, tmp_path):
    pulled = api.pull_checkpoint(study, trial=best.number, out=tmp_path / "best")
    assert pulled.values == best.values
    evaluated = api.evaluate(pulled.path)
    assert evaluated.n == 120
    for name, value in evaluated.metrics.items():
        assert value == pytest.approx(best.values[name], **CLOSE)


def test_the_card_tells_all_that_is_needed(study, best, tmp_path):
    folder = api.pull_checkpoint(study, trial=best.number, out=tmp_path / "best").path
    card = json.loads((folder / "card.json").read_text())
    assert card["architecture"] == "cnn"
    assert card["params"] == best.params
    assert len(card["class_names"]) == 10
    assert "drawings" in card["licence"]
    assert len(card["load"]) == 3
    assert card["values"]["accuracy"] == pytest.approx(best.values["accuracy"])
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "card.json", "model.safetensors"]


def test_the_cards_lines_of_python_work(study, best, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = api.pull_checkpoint(study, trial=best.number, out=Path("best")).path
    scope = {"images": np.zeros((2, 1, 48, 48), np.uint8)}
    exec("\n".join(json.loads((folder / "card.json").read_text())["load"]), scope)
    assert scope["probabilities"].shape == (2, 10)


def test_prediction_of_a_file_is_the_models_own(study, best, tmp_path):
    folder = api.pull_checkpoint(study, trial=best.number, out=tmp_path / "best").path
    pixels = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "face.png")
    predicted = api.predict(folder, [tmp_path / "face.png"])[0]
    restored = api.load_checkpoint(folder)
    shares = calibrated(restored.probabilities(pixels[None, None]), temperature_of(restored.card))[0]
    assert list(predicted.probabilities.values()) == pytest.approx(shares.tolist(), **CLOSE)
    assert predicted.label == max(predicted.probabilities, key=predicted.probabilities.get)


def test_each_look_at_test_is_counted(study, best, tmp_path):
    folder = api.pull_checkpoint(study, trial=best.number, out=tmp_path / "best").path
    before = len(api.show_study(study).looks)
    assert api.evaluate(folder, split="test").looks == before + 1
    assert api.evaluate(folder, split="test").looks == before + 2
    look = api.show_study(study).looks[-1]
    assert (look.split, look.n, look.checkpoint) == ("test", 120, best.checkpoint)


def test_a_folder_is_never_overwritten_unasked(study, best, tmp_path):
    folder = tmp_path / "best"
    api.pull_checkpoint(study, trial=best.number, out=folder)
    with pytest.raises(UsageError, match="exists"):
        api.pull_checkpoint(study, trial=best.number, out=folder)
    api.pull_checkpoint(study, trial=best.number, out=folder, force=True)
    stranger = tmp_path / "thesis"
    stranger.mkdir()
    (stranger / "chapter1.txt").write_text("precious")
    with pytest.raises(UsageError, match="not a pulled checkpoint"):
        api.pull_checkpoint(study, trial=best.number, out=stranger, force=True)
    assert (stranger / "chapter1.txt").read_text() == "precious"


def test_preferences_pick_from_the_front(study, tmp_path):
    front = api.front(study).trials
    if not front:
        pytest.skip("no trial beat the baseline")
    smallest = api.pull_checkpoint(study, prefer="parameters", out=tmp_path / "small")
    assert smallest.values["parameters"] == min(trial.values["parameters"] for trial in front)
    assert api.pull_checkpoint(study, prefer="knee", out=tmp_path / "knee").trial in [t.number for t in front]


def test_a_trial_that_cannot_be_pulled_is_refused_with_the_reason(study, tmp_path):
    with pytest.raises(UsageError, match="loosen --where"):
        api.pull_checkpoint(study, where=["parameters<=1"], out=tmp_path / "none")
    with pytest.raises(UnknownName, match="unknown metric 'memory'"):
        api.pull_checkpoint(study, where=["memory<=1"], out=tmp_path / "none")
    with pytest.raises(UsageError, match="is not a constraint"):
        api.pull_checkpoint(study, where=["parameters=1"], out=tmp_path / "none")
    with pytest.raises(UnknownName):
        api.pull_checkpoint(study, trial=99, out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_broken_artifact_is_noticed(study, best, home, tmp_path):
    files = [path for path in (home / "artifacts").rglob("*") if path.is_file() and best.checkpoint in path.name]
    whole = files[0].read_bytes()
    files[0].chmod(0o644)
    files[0].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(Exception, match=best.checkpoint[:12]):
            api.pull_checkpoint(study, trial=best.number, out=tmp_path / "none")
    finally:
        files[0].write_bytes(whole)


def test_a_plugin_beside_the_weights_runs_only_when_trusted(home, tmp_path):
    plugin = tmp_path / "own.py"
    plugin.write_text(OWN)
    spec = api.create_study(
        "own", "faces", name="own", trials=1, epochs="1", dataset_options={"train": "100", "valid": "60", "test": "60"},
        plugins=[plugin], settings={"batch_size": "32"},
    )  # fmt: skip
    plugin.unlink()
    assert api.run_study(spec.name, slots=1).counts == {"complete": 1}
    folder = api.pull_checkpoint("own", trial=0, out=tmp_path / "own").path
    (file,) = folder.glob("own-*.py")
    assert file.read_text() == OWN
    with pytest.raises(PluginError, match="needs the code of"):
        api.load_checkpoint(folder)
    assert api.load_checkpoint(folder, trust_plugin=True).task.num_classes == 10
    file.write_text(OWN + "\n# changed\n")
    with pytest.raises(PluginError, match="not the plugin"):
        api.load_checkpoint(folder, trust_plugin=True)


def test_export_holds_every_trial(study):
    rows = list(csv.DictReader(io.StringIO(api.export_study(study, "csv"))))
    assert [int(row["number"]) for row in rows] == [trial.number for trial in api.list_trials(study)]
    assert float(rows[0]["accuracy"]) == api.list_trials(study)[0].values["accuracy"]
    data = json.loads(api.export_study(study, "json"))
    assert [[attempt["reason"] for attempt in row["attempts"]] for row in data["trials"]] == [
        [attempt.reason for attempt in trial.attempts] for trial in api.list_trials(study)
    ]
    assert [len(trial["history"]) for trial in data["trials"]] == [2] * 4
    with pytest.raises(UsageError, match="unknown format"):
        api.export_study(study, "xml")


def test_optuna_gets_the_whole_study(study):
    converted = api.to_optuna(study)
    assert len(converted.trials) == 4
    assert [direction.name for direction in converted.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]


def test_a_deleted_study_leaves_nothing(home, tmp_path):
    spec = api.create_study("cnn", "faces", name="gone", trials=1, epochs="1", dataset_options=SIZES_SMALL)
    api.run_study(spec.name, slots=1)
    digest = api.list_trials("gone")[0].checkpoint
    api.delete_study("gone")
    with pytest.raises(UnknownName):
        api.show_study("gone")
    assert not [path for path in (home / "artifacts").rglob("*") if digest in path.name]


SIZES_SMALL = {"train": "100", "valid": "60", "test": "60"}

OWN = '''
"""A plugin of a user's own."""
from fersearch import Architecture, hookimpl


class Own(Architecture):
    name = "own"
    stage_names = ("body", "head")

    def build(self, params, task):
        from torch import nn

        inputs = task.channels * task.image_size**2
        return nn.Sequential(nn.Flatten(), nn.Linear(inputs, task.num_classes))

    def stages(self, model):
        return [model[0], model[1]]


@hookimpl
def register_architectures(register):
    register(Own())
'''


def test_a_trial_runs_in_this_process_for_a_debugger(home):
    spec = api.create_study("cnn", "faces", name="debugged", trials=3, epochs="1", dataset_options=SIZES_SMALL)
    assert api.run_study(spec.name, in_process=True).counts == {"complete": 1}
    assert api.show_trial(spec.name, 0).pid is None
    assert api.run_study(spec.name, slots=2).counts == {"complete": 3}
