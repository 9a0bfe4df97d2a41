"""The notes on a dataset when a study is created and run, and what is refused before it is stored."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch import DataError, api
from fersearch.cli import run as cli
from fersearch.context import drain_notices
from fersearch.observer import Observer


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FERSEARCH_PLUGINS_DIR", str(tmp_path / "no-plugins"))
    drain_notices()


def write_tree(root: Path, train: Sequence[str] = ("Angry", "sad"), test: Sequence[str] = ("angry", "sad")) -> Path:
    random = np.random.default_rng(1)
    for part, labels, n in (("train", train, 6), ("test", test, 2)):
        for label in labels:
            (root / part / label).mkdir(parents=True)
            for k in range(n):
                Image.fromarray(random.integers(0, 256, (8, 8), np.uint8)).save(root / part / label / f"{k}.png")
    return root


LIKE_ONE = "imagefolder: classes 'Angry' and 'angry' look like one class: their images are taken together as 'Angry'"
SMALL = {"dataset_options": {"image_size": "24"}, "trials": 1, "epochs": "1", "settings": {"batch_size": "8"}}


class Listener(Observer):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_findings_are_reported_by_create_and_by_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fersearch.context._reported", set())
    source = write_tree(tmp_path / "source")
    api.create_study("cnn", "imagefolder", name="one", data=source, **SMALL)
    listener = Listener()
    api.run_study("one", in_process=True, observer=listener)
    assert listener.notes.count(LIKE_ONE) == 1
    assert LIKE_ONE in drain_notices()


def test_create_prints_findings_on_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fersearch.context._reported", set())
    source = write_tree(tmp_path / "source")
    command = "study create --model cnn --dataset imagefolder --image-size 24 --no-run --data"
    assert cli([*command.split(), str(source)]) == 0
    out, err = capsys.readouterr()
    assert f"note: {LIKE_ONE}" in err.splitlines()
    assert "note:" not in out


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (
            ("a", "b"),
            ("a", "b", "c"),
            "class 'c' has 2 images in valid and test and no image to train on",
        ),
        (("a", "b", "c"), (), "3.png is corrupt"),
        (("train2", "test2"), (), "look like parts of a split"),
    ],
)
def test_what_cannot_be_trained_on_is_reported_before_a_study_is_stored(
    tmp_path: Path, train: Sequence[str], test: Sequence[str], message: str
) -> None:
    source = write_tree(tmp_path / "source", train, test)
    if not test:
        (source / "train" / train[0] / "3.png").write_bytes(b"no picture")
        source = source / "train"
    with pytest.raises(DataError, match=message):
        api.create_study("cnn", "imagefolder", name="one", data=source, **SMALL)
    assert api.list_studies() == []


def test_a_study_file_with_a_byte_order_mark_is_held_against_its_data(tmp_path: Path) -> None:
    write_tree(tmp_path / "source", ("a", "b"), ("a", "b", "c"))
    file = tmp_path / "study.toml"
    file.write_text('model = "cnn"\ndataset = "imagefolder"\ndata = "source"\n', encoding="utf-8-sig")
    with pytest.raises(DataError, match="class 'c' has 2 images in valid and test and no image to train on"):
        api.create_from_file(file, {})
    assert api.list_studies() == []


def test_a_class_of_the_dataset_without_any_image_is_reported(tmp_path: Path) -> None:
    names = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
    source = write_tree(tmp_path / "source", names, names)
    api.create_study("cnn", "fer2013", name="one", data=source, **SMALL)
    finding = "fer2013: no image of neutral: a model has outputs for them that are never trained"
    assert finding in drain_notices()


def test_a_study_whose_class_lost_its_training_images_is_not_run(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "source", ("a", "b", "c"), ("a", "b", "c"))
    api.create_study("cnn", "imagefolder", name="one", data=source, **SMALL)
    for image in (source / "train" / "c").iterdir():
        image.unlink()
    with pytest.raises(DataError, match="class 'c' has 2 images in valid and test and no image to train on"):
        api.run_study("one", in_process=True)


def test_data_to_judge_needs_no_training_images(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "source", ("a", "b", "c"), ("a", "b", "c"))
    api.create_study("cnn", "imagefolder", name="one", data=source, **{**SMALL, "objectives": ("parameters",)})
    api.run_study("one", in_process=True)
    other = write_tree(tmp_path / "other", ("a", "b"), ("a", "b", "c"))
    pulled = api.pull_checkpoint("one", trial=0, out=tmp_path / "pulled")
    result = api.evaluate(pulled.path, "imagefolder", data=other, split="test")
    assert result.n == 6
