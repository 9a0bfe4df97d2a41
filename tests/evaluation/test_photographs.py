"""Where the steps of a checkpoint come from, and the notes on them."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from fersearch import Choice, Dataset, context, registry
from fersearch.cli import app
from fersearch.context import drain_notices
from fersearch.data.step_lists import boxed, standard
from fersearch.evaluation.photographs import Photographs, TrainedSteps
from fersearch.evaluation.request import _cut_notes
from fersearch.training.checkpoint import read_checkpoint, write_checkpoint
from tests.api.test_predict_equals_evaluate import GREY, PLAIN, faces_in_photographs, oblong, trained
from tests.drawn_face import photograph


class Undeclared(Dataset):
    name = "imagefolder"
    decoding = {**Dataset.decoding, "zoom": Choice(1, 2, search="1")}
    files = read = label = None


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    drain_notices()
    monkeypatch.setattr(context, "_reported", set())


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return trained(tmp_path / "pulled", "imagefolder", oblong(tmp_path / "source"), GREY, PLAIN)


def test_the_card_goes_before_what_the_dataset_says_now(checkpoint: Path) -> None:
    assert TrainedSteps.of(checkpoint, registry.load([])) == TrainedSteps(standard(48, 1))


def test_a_dataset_that_does_not_say_how_it_cuts_is_named(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Undeclared, "__abstractmethods__", frozenset())
    card, tensors = read_checkpoint(checkpoint / "model.safetensors")
    write_checkpoint(checkpoint / "model.safetensors", tensors, {**card, "format": 2, "steps": None})
    result = TrainedSteps.of(checkpoint, replace(registry.load([]), datasets={"imagefolder": Undeclared()}))
    assert result.steps == standard(48, 1)
    assert result.note == (
        "dataset imagefolder does not specify how its images are cropped: "
        "only size and preprocess are applied to images"
    )
    assert Photographs(result, None).notes() == [result.note]


def test_an_older_card_whose_options_the_dataset_has_no_more_is_reported(checkpoint: Path) -> None:
    card, tensors = read_checkpoint(checkpoint / "model.safetensors")
    dataset = {**card["dataset"], "name": "kdef", "options": {"crop": "gone"}}
    old = {**card, "format": 1, "dataset": dataset, "steps": None}
    write_checkpoint(checkpoint / "model.safetensors", tensors, old)
    result = TrainedSteps.of(checkpoint, registry.load([]))
    assert (result.steps, result.note.split(":")[0]) == (
        standard(48, 1),
        "the checkpoint was made before cuts were recorded",
    )


def test_no_face_is_looked_for_where_none_is_needed(tmp_path: Path) -> None:
    photograph(300, (60, 160)).save(tmp_path / "a.png")
    whole = Photographs(TrainedSteps(standard(48, 1)), None)
    ((pixels, box),) = whole.inputs(tmp_path / "a.png")
    assert box is None
    assert whole.notes() == []
    ((face, box),) = Photographs(TrainedSteps(standard(48, 1)), True).inputs(tmp_path / "a.png")
    left, top, width, height = box
    with Image.open(tmp_path / "a.png") as image:
        image.crop((left, top, left + width, top + height)).save(tmp_path / "face.png")
    ((cut, _),) = whole.inputs(tmp_path / "face.png")
    assert np.array_equal(face, cut)
    assert not np.array_equal(face, pixels)


def test_the_largest_of_several_faces_is_the_one_that_is_cut(tmp_path: Path) -> None:
    photograph(700, (50, 160), (400, 200)).save(tmp_path / "two.png")
    photographs = Photographs(TrainedSteps(boxed(48, 1)), None)
    ((_, box),) = photographs.inputs(tmp_path / "two.png")
    assert box[0] > 200
    assert [left for _, (left, *_) in Photographs(TrainedSteps(boxed(48, 1)), True).inputs(tmp_path / "two.png")] == [
        pytest.approx(50, abs=30),
        box[0],
    ]


def test_a_dataset_that_decodes_its_images_itself_keeps_its_cut_and_that_is_reported() -> None:
    squeezed = [{"step": "squeeze", "size": 48}, {"step": "colour", "channels": 1}]
    prepared = SimpleNamespace(steps=standard(48, 1), findings=[])
    assert _cut_notes("other", prepared, TrainedSteps(standard(48, 1))) == []
    assert _cut_notes("other", prepared, TrainedSteps(squeezed)) == [
        "other cuts its images itself (colour channels 1, fit size 48), not as in training"
    ]


def test_the_command_can_disable_face_detection(tmp_path: Path) -> None:
    source = faces_in_photographs(tmp_path / "source")
    checkpoint = trained(tmp_path / "pulled", "affectnet", source, GREY, PLAIN)
    picture = next(source.rglob("*.png"))
    answers = {}
    for flags in ((), ("--faces",), ("--no-faces",)):
        drain_notices()
        result = CliRunner().invoke(app, ["predict", str(checkpoint), str(picture), "--json", *flags])
        assert result.exit_code == 0
        answers[flags] = result.stdout
    assert answers[()] != answers["--no-faces",]
    assert ('"box"' in answers[()], '"box"' in answers["--faces",]) == (False, True)
