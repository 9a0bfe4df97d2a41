"""A checkpoint on its own data and on other data: what is shared, what is left out, what is counted."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch import api
from fersearch.context import drain_notices
from fersearch.errors import FersearchError, UnknownName, UsageError
from fersearch.evaluation import evaluate
from fersearch.evaluation.request import EvaluationRequest, open_input
from fersearch.training.checkpoint import read_checkpoint, write_checkpoint


@pytest.fixture(scope="module")
def pulled(study, tmp_path_factory):
    """The best model of the small study, which knows the ten classes of drawn faces."""
    best = max(api.list_trials(study), key=lambda trial: trial.values["accuracy"])
    return api.pull_checkpoint(study, trial=best.number, out=tmp_path_factory.mktemp("pulled") / "best").path


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """Drawn patterns in folders with synonyms as names, one of them no emotion."""
    root, random = tmp_path_factory.mktemp("others"), np.random.default_rng(0)
    for part, count in (("train", 6), ("valid", 4), ("test", 5)):
        for name in ("Happy", "sad", "Surprised", "sleepy"):
            (root / part / name).mkdir(parents=True)
            for k in range(count):
                pixels = random.integers(0, 255, (48, 48), np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{k}.png")
    return root


def other(pulled, others, **options):
    return api.evaluate(pulled, "imagefolder", data=others, **options)


def test_every_class_of_its_own_data_is_scored(pulled):
    view = api.evaluate(pulled)
    assert list(view.per_class) == list(view.classes)
    for name, row in zip(view.classes, view.confusion, strict=True):
        assert view.per_class[name]["support"] == sum(row)
        assert set(view.per_class[name]) == {"precision", "recall", "f1", "auc", "support"}
    recalls = [values["recall"] for values in view.per_class.values()]
    assert view.metrics["recall_macro"] == pytest.approx(np.mean(recalls))
    assert view.full is None
    assert view.looks is None


def test_shared_classes_are_judged_in_two_ways(pulled, others):
    view = other(pulled, others)
    assert view.n == 12
    assert view.shared == {"Happy": "happiness", "sad": "sadness", "Surprised": "surprise"}
    assert view.left_out == {"sleepy": 4}
    assert set(view.classes) == {"happiness", "surprise", "sadness"}
    assert len(view.full.outputs) == 10
    assert len(view.spare) == 7
    assert np.sum(view.confusion) == np.sum(view.full.confusion) == 12
    assert np.shape(view.full.confusion) == (3, 10)
    assert view.full.metrics["accuracy"] <= view.metrics["accuracy"]


def test_the_restricted_answer_is_the_likeliest_shared_class(pulled, others):
    view = other(pulled, others)
    restored = api.load_checkpoint(pulled)
    names = restored.task.class_names
    shared = [names.index(name) for name in view.classes]
    right = {"full": 0, "restricted": 0}
    for folder, name in view.shared.items():
        for path in sorted((others / "valid" / folder).iterdir()):
            shares = restored.probabilities(np.array(Image.open(path))[None, None])[0]
            right["full"] += names[shares.argmax()] == name
            right["restricted"] += names[max(shared, key=lambda k: shares[k])] == name
    assert view.metrics["accuracy"] == pytest.approx(right["restricted"] / 12)
    assert view.full.metrics["accuracy"] == pytest.approx(right["full"] / 12)


def test_a_label_map_adds_and_drops_classes(pulled, others):
    view = other(pulled, others, label_map={"sleepy": "concentration", "sad": ""})
    assert view.shared == {"Happy": "happiness", "Surprised": "surprise", "sleepy": "concentration"}
    assert view.left_out == {"sad": 4}
    with pytest.raises(UsageError, match="share only one class"):
        other(pulled, others, label_map={"Happy": "", "sad": ""})


def test_all_images_of_other_data_may_be_judged_and_that_is_a_look(pulled, others, study):
    before = len(api.show_study(study).looks)
    view = other(pulled, others, split="all")
    assert view.n == 3 * (6 + 4 + 5)
    assert view.looks == before + 1
    look = api.show_study(study).looks[-1]
    assert (look.dataset, look.split, look.n) == ("imagefolder", "all", view.n)
    with pytest.raises(UsageError, match="was trained on this dataset"):
        api.evaluate(pulled, split="all")


def test_a_look_without_a_database_is_reported_as_not_recorded_and_creates_none(pulled, tmp_path):
    drain_notices()
    missing = tmp_path / "far" / "x.db"
    view = api.evaluate(pulled, split="test", storage=f"sqlite:///{missing}")
    assert view.looks == 1
    assert f"this look at the test split is not recorded: no database exists at {missing}" in drain_notices()
    assert not missing.parent.exists()


def test_views_of_test_time_augmentation_change_the_answers(pulled):
    plain, flipped = (api.evaluate(pulled, tta=tta).metrics["log_loss"] for tta in ("none", "flip"))
    assert plain != flipped
    with pytest.raises(UnknownName, match="unknown tta 'spin'"):
        api.evaluate(pulled, tta="spin")


def test_images_that_equal_a_training_image_can_be_left_out(pulled, others, tmp_path):
    drawn = open_input(pulled, EvaluationRequest())
    trained = drawn.loaded.indices["train"][:2]
    for name in ("Happy", "sad"):
        (tmp_path / name).mkdir()
        for k, path in enumerate(sorted((others / "train" / name).iterdir())):
            Image.open(path).save(tmp_path / name / f"{k}.png")
    for k, row in enumerate(trained):
        Image.fromarray(drawn.loaded.images[row][0]).save(tmp_path / "sad" / f"again{k}.png")
    view = api.evaluate(pulled, "imagefolder", data=tmp_path, split="all", no_duplicates=True)
    assert (view.n, view.duplicates) == (12, 2)
    assert api.evaluate(pulled, no_duplicates=True).duplicates == 0
    with pytest.raises(UsageError, match="occurs in train"):
        api.evaluate(pulled, split="train", no_duplicates=True)


def test_sources_of_merged_data_are_scored_apart(pulled):
    prepared_input = open_input(pulled, EvaluationRequest())
    source = np.array(["a", "b"] * (len(prepared_input.loaded.hard) // 2))
    merged = replace(prepared_input, loaded=replace(prepared_input.loaded, source=source))
    view = evaluate.evaluate_checkpoint(pulled, merged, EvaluationRequest())
    assert set(view.per_source) == {"a", "b"}
    assert sum(one["n"] for one in view.per_source.values()) == view.n
    mean = sum(one["n"] * one["accuracy"] for one in view.per_source.values()) / view.n
    assert mean == pytest.approx(view.metrics["accuracy"])
    labels = merged.labels[source[merged.rows] == "a"]
    assert view.per_source["a"]["baseline"] == pytest.approx(np.bincount(labels).max() / len(labels))


def changed(path: Path, out: Path, **card: object) -> Path:
    """A copy of a checkpoint's weights with another card."""
    known, tensors = read_checkpoint(path / "model.safetensors")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint(out, tensors, {**known, **card})
    return out


def test_a_folder_of_checkpoints_is_judged_and_one_that_fails_is_reported(pulled, tmp_path):
    changed(pulled, tmp_path / "a" / "model.safetensors")
    changed(pulled, tmp_path / "deep" / "b.safetensors")
    (tmp_path / "c.safetensors").write_bytes(b"nothing")
    result = evaluate.evaluate_folder(tmp_path)
    assert [one.checkpoint.name for one in result] == ["a", "c.safetensors", "b.safetensors"]
    good, broken, also = result
    assert good.view.metrics == also.view.metrics == api.evaluate(pulled).metrics
    assert "not a checkpoint of fersearch" in broken.error.message
    assert evaluate.holds_checkpoints(tmp_path)
    assert not evaluate.holds_checkpoints(pulled)


def test_a_folder_becomes_a_table(pulled, others, tmp_path):
    changed(pulled, tmp_path / "in" / "a.safetensors")
    (tmp_path / "in" / "b.safetensors").write_bytes(b"nothing")
    result = evaluate.evaluate_folder(tmp_path / "in", EvaluationRequest("imagefolder", others))
    out = tmp_path / "table.csv"
    evaluate.write_csv(out, result)
    first, second = csv.DictReader(out.read_text().splitlines())
    assert (first["dataset"], first["split"], first["n"], first["error"]) == ("imagefolder", "valid", "12", "")
    assert float(first["accuracy"]) == result[0].view.metrics["accuracy"]
    assert float(first["full_accuracy"]) == result[0].view.full.metrics["accuracy"]
    assert "not a checkpoint" in second["error"]
    with pytest.raises(UsageError, match="exists"):
        evaluate.write_csv(out, result)
    evaluate.write_csv(out, result, force=True)


def test_checkpoints_of_different_classes_are_refused_unless_a_map_makes_them_share(pulled, others, tmp_path):
    names = read_checkpoint(pulled / "model.safetensors")[0]["class_names"]
    renamed = ["sleepy" if name == "confusion" else name for name in names]
    changed(pulled, tmp_path / "a.safetensors")
    changed(pulled, tmp_path / "b.safetensors", class_names=renamed)
    request = EvaluationRequest("imagefolder", others)
    with pytest.raises(UsageError, match="predict different classes") as error:
        evaluate.evaluate_folder(tmp_path, request)
    assert "a.safetensors: Happy, Surprised, sad\n" in error.value.hint
    assert "b.safetensors: Happy, Surprised, sad, sleepy" in error.value.hint
    result = evaluate.evaluate_folder(tmp_path, replace(request, label_map={"sleepy": ""}))
    assert [one.view.n for one in result] == [12, 12]


def test_what_fails_for_all_is_reported_once(pulled, tmp_path):
    for name in ("a", "b"):
        changed(pulled, tmp_path / f"{name}.safetensors")
    with pytest.raises(UnknownName, match="unknown dataset 'fases'"):
        evaluate.evaluate_folder(tmp_path, EvaluationRequest("fases"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no checkpoint in"):
        evaluate.evaluate_folder(tmp_path / "empty")


def test_weights_that_give_no_numbers_are_reported(pulled, tmp_path):
    card, tensors = read_checkpoint(pulled / "model.safetensors")
    write_checkpoint(tmp_path / "x.safetensors", {n: t * np.nan for n, t in tensors.items()}, card)
    with pytest.raises(FersearchError, match="not finite"):
        api.evaluate(tmp_path / "x.safetensors")
