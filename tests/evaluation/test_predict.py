"""Images, folders of them and faces in them, each with what a model says."""

import csv
from itertools import islice

import numpy as np
import pytest
from PIL import Image

from fersearch import api
from fersearch.context import notices
from fersearch.errors import DataError, UsageError
from fersearch.evaluation import predict
from fersearch.evaluation.calibration import calibrated, temperature_of
from fersearch.training.checkpoint import read_checkpoint, write_checkpoint
from tests.drawn_face import photograph


@pytest.fixture(scope="module")
def pulled(study, tmp_path_factory):
    return api.pull_checkpoint(study, trial=0, out=tmp_path_factory.mktemp("pulled") / "zero").path


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """A photograph of two faces, one of none, one in a folder below, and a file that is not an image."""
    root = tmp_path_factory.mktemp("album")
    (root / "below").mkdir()
    photograph(700, (50, 160), (400, 200)).save(root / "two.png")
    photograph(300).save(root / "none.png")
    photograph(300, (60, 160)).save(root / "below" / "one.png")
    (root / "broken.png").write_bytes(b"nothing")
    (root / "notes.txt").write_text("no image")
    return root


def test_every_image_below_a_folder_is_collected(album):
    names = [path.relative_to(album).as_posix() for path in predict.images_in(album)]
    assert names == ["below/one.png", "broken.png", "none.png", "two.png"]
    with pytest.raises(DataError, match="no image found"):
        predict.images_in(_only_text(album))


def test_what_is_passed_over_in_a_folder_and_may_be_an_image_is_noted(tmp_path):
    for name in ("a.png", "_b.png", ".c.png", "@eaDir/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    notices.clear()
    assert predict.images_in(tmp_path) == [tmp_path / "a.png"]
    assert [line.rpartition(": ")[2] for line in notices] == [str(tmp_path / "_b.png")]


def _only_text(album):
    (album.parent / "texts").mkdir(exist_ok=True)
    return album.parent / "texts"


def test_what_cannot_be_read_is_reported_in_its_place(album, pulled):
    result = list(predict.predictions(pulled, predict.images_in(album)))
    assert [type(one).__name__ for one in result] == ["Prediction", "Unreadable", "Prediction", "Prediction"]
    assert "broken.png" in result[1].reason.message
    with pytest.raises(DataError, match=r"broken\.png"):
        api.predict(pulled, [album / "none.png", album / "broken.png"])


def test_each_face_is_answered_and_the_whole_image_where_there_is_none(album, pulled):
    result = api.predict(pulled, [album / "two.png", album / "none.png"], faces=True)
    assert [one.box is None for one in result] == [False, False, True]
    assert result[0].box[0] < result[1].box[0]
    left, top, width, height = result[1].box
    with Image.open(album / "two.png") as image:
        image.crop((left, top, left + width, top + height)).save(album.parent / "cut.png")
    (cut,) = api.predict(pulled, [album.parent / "cut.png"])
    assert list(cut.probabilities.values()) == pytest.approx(list(result[1].probabilities.values()), abs=1e-5)
    (whole,) = api.predict(pulled, [album / "none.png"])
    assert whole.probabilities == pytest.approx(result[2].probabilities)


def test_few_images_are_in_memory_at_a_time(album, pulled, monkeypatch):
    monkeypatch.setattr(predict, "CHUNK", 2)
    read = []

    def paths():
        for _ in range(50):
            read.append(album / "none.png")
            yield read[-1]

    result = list(islice(predict.predictions(pulled, paths()), 3))
    assert len(result) == 3
    assert len(read) == 4


def test_images_pass_through_what_the_training_images_did(album, pulled, tmp_path):
    card, tensors = read_checkpoint(pulled / "model.safetensors")
    card["steps"].append({"step": "preprocess", "name": "equalize"})
    write_checkpoint(tmp_path / "equalized.safetensors", tensors, card)
    from fersearch.data.images import decode
    from fersearch.data.preprocess import applied

    (one,) = api.predict(tmp_path / "equalized.safetensors", [album / "two.png"])
    pixels = applied(decode(album / "two.png"), {"preprocess": "equalize"})
    shares = calibrated(api.load_checkpoint(pulled).probabilities(pixels[None]), temperature_of(card))[0]
    assert list(one.probabilities.values()) == pytest.approx(shares.tolist(), abs=1e-5)
    assert one.probabilities != pytest.approx(api.predict(pulled, [album / "two.png"])[0].probabilities)


def test_predictions_become_a_file_that_is_whole_or_not_there(album, pulled, tmp_path):
    out, classes = tmp_path / "out.csv", predict.classes_of(pulled)
    with predict.csv_of(out, classes, faces=True) as rows:
        for one in api.predict(pulled, [album / "two.png", album / "none.png"], faces=True):
            rows.add(one)
    messages = list(csv.DictReader(out.read_text().splitlines()))
    assert [row["image"] for row in messages] == [str(album / "two.png")] * 2 + [str(album / "none.png")]
    assert (messages[0]["face_width"] != "", messages[2]["face_width"]) == (True, "")
    assert np.sum([float(messages[0][name]) for name in classes]) == pytest.approx(1, abs=1e-4)
    with pytest.raises(UsageError, match="exists"), predict.csv_of(out, classes, faces=False):
        pass
    with pytest.raises(KeyError), predict.csv_of(tmp_path / "half.csv", classes, faces=False):
        raise KeyError
    assert not (tmp_path / "half.csv").exists()
