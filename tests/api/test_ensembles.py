"""Ensembles of a real study: chosen on validation, written whole, used like a single checkpoint."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from fersearch import api
from fersearch.artifacts import Artifacts
from fersearch.context import components, open_store
from fersearch.ensembles.candidates import Candidate, check_alike, costs
from fersearch.errors import FersearchError, PluginError, UnknownName, UsageError
from fersearch.home import artifacts_folder
from fersearch.study import Protocol
from fersearch.training.checkpoint import read_checkpoint, write_checkpoint
from tests.api.conftest import SETTINGS, SIZES
from tests.api.test_path import OWN

METHODS = ("mean", "vote", "weighted", "stacking")


@pytest.fixture(scope="module")
def made(study, tmp_path_factory):
    """The mean of models of the small study."""
    return api.make_ensemble([study], tmp_path_factory.mktemp("made") / "ens", size=4)


def single(study):
    return max(trial.values["accuracy"] for trial in api.list_trials(study))


def test_the_first_step_is_the_best_trial_and_the_accepted_steps_end_with_the_best(made, study):
    assert made.steps[0].value == pytest.approx(single(study), abs=1e-6)
    assert made.single == made.steps[0].value
    values_kept = [step.value for step in made.steps if step.kept]
    assert made.value == pytest.approx(max(step.value for step in made.steps))
    assert values_kept[-1] == max(values_kept)
    assert sum(member.weight for member in made.members) == len(values_kept)
    assert str(made.objective) == "accuracy:max"


@pytest.mark.parametrize("method", METHODS)
def test_evaluating_the_folder_gives_what_the_choice_was_made_by(study, tmp_path, method):
    made = api.make_ensemble([study], tmp_path / "ens", method=method, size=3)
    evaluated = api.evaluate(made.path)
    assert evaluated.n == made.n == 120
    assert evaluated.metrics["accuracy"] == pytest.approx(made.value, abs=1e-6)
    assert 0 <= made.fair <= 1


def test_the_card_tells_who_and_why(made, study):
    card = json.loads((made.path / "ensemble.json").read_text())
    assert [(m["study"], m["trial"]) for m in card["members"]] == [(study, m.trial) for m in made.members]
    assert [step["value"] for step in card["selection"]] == [step.value for step in made.steps]
    assert card["validation"] == {"n": 120, "ensemble": made.value, "best_single": made.single}
    assert card["crossvalidated"]["folds"] == 5
    assert card["digest"] == made.digest
    files = {member.file for member in made.members} | {"ensemble.json"}
    assert {path.name for path in made.path.iterdir()} == files


def test_the_cards_lines_of_python_and_prediction_work(made, tmp_path, monkeypatch):
    monkeypatch.chdir(made.path.parent)
    pixels = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)
    scope = {"images": pixels[None, None]}
    exec("\n".join(json.loads((made.path / "ensemble.json").read_text())["load"]), scope)
    Image.fromarray(pixels).save(tmp_path / "face.png")
    (predicted,) = api.predict(made.path, [tmp_path / "face.png"])
    assert list(predicted.probabilities.values()) == pytest.approx(scope["probabilities"][0].tolist(), abs=1e-6)


def test_a_look_at_test_is_a_row_of_the_study(made, study):
    before = len(api.show_study(study).looks)
    assert api.evaluate(made.path, split="test").looks == before + 1
    look = api.show_study(study).looks[-1]
    assert (look.checkpoint, look.split, look.n) == (made.digest, "test", 120)


def test_bounds_hold_for_all_members_together(study, tmp_path):
    trials = {trial.number: trial for trial in api.list_trials(study)}
    largest = max(trial.values["parameters"] for trial in trials.values())
    alone = api.make_ensemble([study], tmp_path / "one", size=4, where=[f"parameters<={largest}"])
    assert len(alone.members) == 1
    free = api.make_ensemble([study], tmp_path / "all", size=4, where=["parameters<=1e9"])
    assert free.costs["parameters"] == sum(trials[member.trial].values["parameters"] for member in free.members)
    peaks = sorted(trial.values["peak_memory_mb"] for trial in trials.values())
    light = api.make_ensemble([study], tmp_path / "light", where=[f"peak_memory_mb<={peaks[0]}"])
    assert trials[light.members[0].trial].values["peak_memory_mb"] == peaks[0]
    assert len(light.members) == 1


def test_seconds_and_sizes_add_up_and_memory_is_the_hungriest_members_beside_the_others(study, tmp_path):
    metrics = components().metrics
    row, trials = None, api.list_trials(study)[:2]
    for number in range(2):
        (tmp_path / str(number)).write_bytes(b"x" * (number + 1) * 2**20)
    values = [{"train_seconds": 3.0, "peak_memory_mb": 10.0}, {"train_seconds": 4.0, "peak_memory_mb": 10.5}]
    members = [
        Candidate(row, replace(trial, values=value), tmp_path / str(number))
        for number, (trial, value) in enumerate(zip(trials, values, strict=True))
    ]
    assert costs(members, metrics) == {"train_seconds": 7.0, "peak_memory_mb": 12.0}
    assert costs(members[:1], metrics) == values[0]


def test_a_bound_on_predictions_is_held_by_the_ensemble(study, tmp_path):
    made = api.make_ensemble([study], tmp_path / "ens", where=["accuracy>=0.01"])
    assert made.value >= 0.01
    with pytest.raises(UsageError, match=r"the best ensemble has accuracy .*, not accuracy>=1.5"):
        api.make_ensemble([study], tmp_path / "none", where=["accuracy>=1.5"])
    assert not (tmp_path / "none").exists()


def test_impossible_options_are_refused_with_a_message(study, tmp_path):
    out = tmp_path / "none"
    with pytest.raises(UsageError, match="no single trial satisfies parameters<=1"):
        api.make_ensemble([study], out, where=["parameters<=1"])
    with pytest.raises(UnknownName, match="unknown method 'median'"):
        api.make_ensemble([study], out, method="median")
    with pytest.raises(UnknownName, match="unknown metric 'acuracy'"):
        api.make_ensemble([study], out, metric="acuracy")
    with pytest.raises(UsageError, match="train_seconds is not a metric of predictions"):
        api.make_ensemble([study], out, metric="train_seconds")
    with pytest.raises(UsageError, match="size 0 leaves no member"):
        api.make_ensemble([study], out, size=0)
    with pytest.raises(UnknownName, match="unknown study"):
        api.make_ensemble(["smal"], out)
    assert not out.exists()


def test_a_folder_is_replaced_only_on_request_and_if_it_is_ours(study, tmp_path):
    out = tmp_path / "ens"
    api.make_ensemble([study], out, size=1)
    with pytest.raises(UsageError, match="exists"):
        api.make_ensemble([study], out, size=1)
    assert api.make_ensemble([study], out, size=1, metric="log_loss", force=True).objective.direction == "min"
    (out / "ensemble.json").unlink()
    with pytest.raises(UsageError, match="not a pulled checkpoint"):
        api.make_ensemble([study], out, force=True)
    assert list(out.iterdir())


def test_studies_that_agree_are_joined(study, tmp_path):
    api.create_study(
        "cnn",
        "faces",
        name="same",
        trials=1,
        epochs="1",
        seed=9,
        objectives=("accuracy",),
        dataset_options=SIZES,
        settings=SETTINGS,
    )
    api.run_study("same", slots=1)
    made = api.make_ensemble([study, "same"], tmp_path / "ens", metric="log_loss")
    card = json.loads((made.path / "ensemble.json").read_text())
    assert set(card["studies"]) == {member.study for member in made.members}
    digests = {trial.checkpoint for name in (study, "same") for trial in api.list_trials(name)}
    assert {member.digest for member in made.members} <= digests
    assert {step.study for step in made.steps} <= {study, "same"}
    before = {name: len(api.show_study(name).looks) for name in card["studies"]}
    api.evaluate(made.path, split="test")
    assert {name: len(api.show_study(name).looks) - 1 for name in card["studies"]} == before


@pytest.fixture
def candidate(study):
    """A trial of the small study as something to choose from."""
    with open_store() as store:
        row = store.study(study)
        trial = store.trials(row.id)[0]
    return Candidate(row, trial, Artifacts(artifacts_folder()).open(trial.checkpoint))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"dataset_options": {"hardness": 0.9}}, "dataset options: study 'other' and study 'small' differ"),
        ({"protocol": Protocol(split="ratios")}, "protocol: study 'other' and study 'small' differ"),
        ({"limit": 100}, "limit: study 'other' and study 'small' differ, and cannot be one ensemble\n  small: None\n"),
    ],
)
def test_studies_that_saw_each_others_validation_are_refused(candidate, changed, message):
    spec = replace(candidate.study.spec, **changed)
    other = replace(candidate, study=replace(candidate.study, name="other", spec=spec))
    with pytest.raises(UsageError) as messages:
        check_alike([candidate, other], components())
    assert str(messages.value).startswith(message)


def test_other_class_lists_are_refused_with_both_shown(candidate, tmp_path):
    card, tensors = read_checkpoint(candidate.file)
    names = card["class_names"]
    write_checkpoint(tmp_path / "turned", tensors, {**card, "class_names": names[::-1]})
    turned = replace(candidate, study=replace(candidate.study, name="turned"), file=tmp_path / "turned")
    with pytest.raises(UsageError) as messages:
        check_alike([candidate, turned], components())
    assert str(messages.value) == (
        "classes: study 'turned' and study 'small' differ, and cannot be one ensemble\n"
        f"  small: {', '.join(names)}\n  turned: {', '.join(names[::-1])}"
    )


def test_a_study_under_folds_has_no_image_that_is_new_to_all(candidate):
    spec = candidate.study.spec
    folded = replace(candidate.study, spec=replace(spec, protocol=replace(spec.protocol, split="kfold")))
    with pytest.raises(UsageError, match="trains on folds"):
        check_alike([replace(candidate, study=folded)], components())


def test_a_member_that_was_changed_is_noticed(made, tmp_path):
    copy = shutil.copytree(made.path, tmp_path / "copy")
    file = copy / made.members[0].file
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(FersearchError, match="not the file that was chosen"):
        api.load_checkpoint(copy)


def test_plugin_files_lie_beside_and_run_only_when_trusted(home, tmp_path):
    plugin = tmp_path / "owned.py"
    plugin.write_text(OWN.replace('"own"', '"owned"'))
    sizes = {"train": "100", "valid": "60", "test": "60"}
    api.create_study(
        "owned", "faces", name="owned", trials=1, epochs="1", dataset_options=sizes, plugins=[plugin],
        settings={"batch_size": "32"},
    )  # fmt: skip
    api.run_study("owned", slots=1)
    made = api.make_ensemble(["owned"], tmp_path / "ens")
    with pytest.raises(PluginError, match="needs the code of"):
        api.load_checkpoint(made.path)
    assert api.load_checkpoint(made.path, trust_plugin=True).task.num_classes == 10
