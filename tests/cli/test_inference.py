"""`predict` and `evaluate`: the tables they print, what goes to which stream, and how they end."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from PIL import Image

from fersearch import Task, cli
from fersearch.cli import render_models
from fersearch.cli.inference import parse_label_map
from fersearch.errors import FersearchError, UsageError
from fersearch.evaluation.evaluate import CheckpointEvaluation, EvaluationView
from fersearch.evaluation.predict import Prediction
from fersearch.training.checkpoint import write_checkpoint
from fersearch.training.evaluate import Scores
from tests.cards import card
from tests.cli.fakes import lines, text

PER_CLASS = {
    "anger": {"precision": 2 / 3, "recall": 1.0, "f1": 0.8, "support": 2},
    "joy": {"precision": 1.0, "recall": 0.5, "f1": float("nan"), "support": 2},
}
VIEW = EvaluationView("tiny", "test", 4, ("anger", "joy"), {"accuracy": 0.75}, [[2, 0], [1, 1]], looks=3)
FULL = Scores(("anger", "joy"), ("anger", "joy", "fear"), {"accuracy": 0.5}, PER_CLASS, [[1, 0, 1], [1, 1, 0]])
CROSSED = replace(
    VIEW,
    split="valid",
    looks=None,
    shared={"Angry": "anger", "joy": "joy"},
    left_out={"sleepy": 2, "bored": 1},
    spare=("fear",),
    full=FULL,
)
CLASSES = ("neutral", "happiness", "sadness", "anger")


def test_an_evaluation_with_its_confusion_and_its_look():
    assert text(render_models.evaluation(VIEW)) == lines(
        "tiny, test: n = 4",
        "metric    value",
        "accuracy  0.750",
        "",
        "true \\ predicted  anger  joy",
        "anger                 2    0",
        "joy                   1    1",
        "this was look 3 at the test split",
    )
    assert "look" not in text(render_models.evaluation(replace(VIEW, split="valid", looks=None)))


def test_an_evaluation_class_by_class_and_source_by_source():
    sources = {
        "kdef": {"n": 3, "accuracy": 2 / 3, "baseline": 1 / 3},
        "jaffe": {"n": 1, "accuracy": 1.0, "baseline": 1},
    }
    view = replace(VIEW, per_class=PER_CLASS, per_source=sources, confusion=[], looks=None, duplicates=1)
    assert text(render_models.evaluation(view)) == lines(
        "tiny, test: n = 4",
        "metric    value",
        "accuracy  0.750",
        "",
        "class  precision  recall     f1  support",
        "anger      0.667    1.00  0.800        2",
        "joy         1.00   0.500    nan        2",
        "",
        "source  n  accuracy  baseline",
        "kdef    3     0.667     0.333",
        "jaffe   1      1.00      1.00",
        "1 image left out because they also occur in train",
    )


def test_an_evaluation_over_shared_classes_shows_both_ways():
    assert text(render_models.evaluation(CROSSED)) == lines(
        "tiny, valid: n = 4",
        "shared         Angry = anger, joy",
        "left out       sleepy (2 images), bored (1 image)",
        "other outputs  fear",
        "",
        "metric    restricted   full",
        "accuracy       0.750  0.500",
        "",
        "true \\ predicted  anger  joy",
        "anger                 2    0",
        "joy                   1    1",
        "restricted: predictions are the likeliest shared class; full: the likeliest of all outputs",
        "classes and confusion are of the restricted predictions",
    )


def test_checkpoints_side_by_side():
    result = [CheckpointEvaluation(Path("a"), VIEW), CheckpointEvaluation(Path("b"), error=FersearchError("broken"))]
    assert text(render_models.examined(result)) == lines(
        "checkpoint  dataset  split  n  accuracy",
        "a           tiny     test   4     0.750",
        "b           failed",
    )
    assert text(render_models.examined([CheckpointEvaluation(Path("a"), CROSSED)])) == lines(
        "checkpoint  dataset  split  n  accuracy   full",
        "a           tiny     valid  4     0.750  0.500",
        "full: accuracy with predictions over all outputs",
    )


def test_predictions_with_the_next_likeliest():
    result = [Prediction("a.png", "joy", {"anger": 0.1, "joy": 0.85, "fear": 0.05}, (3, 4, 50, 60))]
    assert text(render_models.predictions(result)) == lines(
        "image  label  probability  then", "a.png  joy           0.85  anger 0.10, fear 0.05"
    )
    assert text(render_models.predictions([*result, replace(result[0], box=None)], faces=True)) == lines(
        "image  face               label  probability  then",
        "a.png  50x60 at 3,4       joy           0.85  anger 0.10, fear 0.05",
        "a.png  none, whole image  joy           0.85  anger 0.10, fear 0.05",
    )


def test_labels_are_counted():
    assert text(render_models.tally({"joy": 1, "anger": 3}, "written to x.csv")) == lines(
        "label  images  share", "anger       3  75.0%", "joy         1  25.0%", "written to x.csv"
    )


def test_the_map_is_read():
    assert parse_label_map(["contempt=disgust", " Happy = joy ", "unknown="]) == {
        "contempt": "disgust",
        "Happy": "joy",
        "unknown": "",
    }
    with pytest.raises(UsageError, match="is not NAME=NAME"):
        parse_label_map(["contempt"])
    with pytest.raises(UsageError, match="gives 'a' twice"):
        parse_label_map(["a=b", "a=c"])


@pytest.fixture
def checkpoint(tmp_path):
    """An untrained network's weights with a card, as a pulled checkpoint has them."""
    params = {"dropout": 0.0, "convolutions": 1, "activation": "relu", "batch_size": 8}
    torch.manual_seed(0)
    model = Cnn().build(params, Task(CLASSES))
    drawn = {"train": 60, "valid": 40, "test": 40}
    data = {"name": "faces", "digest": "", "options": drawn, "target": "majority", "limit": None}
    made = card(params=params, class_names=list(CLASSES), dataset=data)
    folder = tmp_path / "pulled"
    folder.mkdir()
    write_checkpoint(folder / "model.safetensors", model.state_dict(), made)
    return folder


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for k in range(3):
        Image.new("L", (60, 60), 80 * k).save(folder / f"{k}.png")
    return folder


def run(capsys, *arguments):
    """The exit code, the standard output and the standard error of a command."""
    code = cli.run([str(word) for word in arguments])
    return code, *capsys.readouterr()


def test_a_folder_goes_into_a_file_and_what_is_unreadable_is_reported_last(checkpoint, pictures, tmp_path, capsys):
    (pictures / "x.png").write_bytes(b"nothing")
    out = tmp_path / "out.csv"
    code, messages, err = run(capsys, "predict", checkpoint, "--folder", pictures, "--csv", out)
    assert code == 1
    assert messages.splitlines()[-1] == f"written to {out}"
    assert err.startswith(f"error: image {pictures / 'x.png'} is corrupt")
    rows = out.read_text().splitlines()
    assert rows[0] == "image,label,neutral,happiness,sadness,anger"
    assert len(rows) == 4
    code, messages, err = run(capsys, "predict", checkpoint, pictures / "0.png", "--csv", out)
    assert (code, messages) == (2, "")
    assert err == f"error: {out} exists\n  name another file, or --force to replace it\n"
    assert run(capsys, "predict", checkpoint, pictures / "0.png", "--csv", out, "--force")[0] == 0
    assert len(out.read_text().splitlines()) == 2


def test_images_that_are_all_unreadable_are_an_error_and_leave_no_file(checkpoint, tmp_path, capsys):
    (tmp_path / "x.png").write_bytes(b"nothing")
    (tmp_path / "y.png").write_bytes(b"")
    out = tmp_path / "out.csv"
    code, messages, err = run(capsys, "predict", checkpoint, tmp_path / "x.png", tmp_path / "y.png", "--csv", out)
    assert (code, messages, out.exists()) == (2, "", False)
    assert err.count("error: image ") == 2
    code, _, err = run(capsys, "predict", checkpoint)
    assert (code, err) == (2, "error: no images given\n  name image files, or a folder with --folder\n")


def test_json_of_faces_has_boxes(checkpoint, pictures, capsys):
    code, messages, _ = run(capsys, "predict", checkpoint, pictures / "0.png", "--faces", "--json")
    (one,) = json.loads(messages)
    assert code == 0
    assert set(one) == {"schema", "image", "label", "probabilities", "box"}
    assert one["box"] is None
    _, messages, _ = run(capsys, "predict", checkpoint, pictures / "0.png", "--json")
    assert set(json.loads(messages)[0]) == {"schema", "image", "label", "probabilities"}


def test_an_evaluation_on_more_classes_than_the_model_knows(checkpoint, capsys):
    code, messages, _ = run(capsys, "evaluate", checkpoint, "--map", "contempt=anger", "--json")
    record = json.loads(messages)
    assert code == 0
    assert set(record) == {
        "schema",
        *("dataset", "split", "n", "classes", "metrics", "per_class", "confusion"),
        *("shared", "left_out", "spare", "restricted", "full"),
    }
    assert record["classes"] == list(CLASSES)
    assert record["shared"]["contempt"] == "anger"
    assert sum(record["left_out"].values()) + record["n"] == 40
    assert record["restricted"]["metrics"] == record["metrics"]
    assert record["full"]["outputs"] == list(CLASSES)


def test_a_folder_of_checkpoints_with_one_that_fails_ends_with_1(checkpoint, tmp_path, capsys):
    folder = tmp_path / "all"
    folder.mkdir()
    checkpoint.rename(folder / "a")
    (folder / "b.safetensors").write_bytes(b"nothing")
    code, messages, err = run(capsys, "evaluate", folder, "--json", "--csv", tmp_path / "t.csv")
    assert code == 1
    good, bad = json.loads(messages)
    assert (good["checkpoint"], good["dataset"]) == (str(folder / "a"), "faces")
    assert set(bad) == {"schema", "checkpoint", "error"}
    assert f"error: {folder / 'b.safetensors'} is not a checkpoint of fersearch" in err
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 3
