"""JAFFE by the names of its images, regular or not; one person left out at a time."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets.jaffe import CLASSES, PER_CLASS, SUBJECTS, Jaffe
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.study import Protocol
from fersearch.testing import DatasetSuite

CODES = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}


def names(subjects: Iterable[str] = SUBJECTS, takes: int = 1) -> list[str]:
    people = [(subject, code, take) for subject in subjects for code in CODES for take in range(1, takes + 1)]
    return [f"{subject}.{code}{take}.{k}" for k, (subject, code, take) in enumerate(people, 1)]


def write(root: Path, files: Iterable[str] | None = None) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(3)
    for name in files or [f"{name}.tiff" for name in names()]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (64, 64), dtype=np.uint8)).save(root / name)
    return root


class TestJaffe(DatasetSuite):
    dataset = Jaffe()

    def make_source(self, folder: Path) -> Path:
        write(folder / "jaffe")
        return folder


def prepared(source: Path) -> Prepared:
    return prepare(Jaffe(), source, {}, source.parent / "prepared")


def test_names_tell_person_and_emotion(tmp_path: Path) -> None:
    copy = prepared(write(tmp_path / "source"))
    rows = zip(*(copy.columns[name].tolist() for name in ("name", "label", "subject")), strict=True)
    assert {(name[:2], CODES[name[3:5]]) == (subject, CLASSES[label]) for name, label, subject in rows} == {True}
    assert copy.count == 70
    assert copy.findings[-1] == "70 images were converted to 48x48 grey: 70 of 64x64 L"


def test_the_usual_figures_sum_to_the_published_total() -> None:
    assert sum(PER_CLASS.values()) == 213


def test_one_person_is_left_out_at_a_time(tmp_path: Path) -> None:
    copy = prepared(write(tmp_path / "source"))
    loaded = load(Jaffe(), copy, {}, Protocol(split="loso"), round=2)
    assert loaded.rounds == 10
    assert set(copy.columns["subject"][loaded.indices["valid"]].tolist()) == {"KL"}


@pytest.mark.parametrize(
    ("file", "subject", "emotion"),
    [
        ("KA.AN1..39.tiff", "KA", "anger"),
        ("KA.AN1.39..tiff", "KA", "anger"),
        ("ka.su2.37.jpg", "KA", "surprise"),
        ("NM-FE2-111.png", "NM", "fear"),
        ("NM FE2 111.png", "NM", "fear"),
        ("YM.NE.49.tif", "YM", "neutral"),
        ("UY.SA1.139.tiff.jpg", "UY", "sadness"),
        ("XX.DI3.7.tiff", "XX", "disgust"),
    ],
)
def test_irregular_names_are_read_and_listed(tmp_path: Path, file: str, subject: str, emotion: str) -> None:
    copy = prepared(write(tmp_path / "source", ["TM.HA1.180.tiff", file]))
    row = copy.columns["name"].tolist().index(file)
    assert copy.columns["subject"][row] == subject
    assert CLASSES[copy.columns["label"][row]] == emotion
    assert copy.findings[0] == f"1 irregular names were read: {file}"


def test_regular_names_are_not_listed(tmp_path: Path) -> None:
    files = ["KA.AN1.39.tiff", "KA.SU2.37.jpg", "folder/NM.FE2.111.png"]
    assert not any("irregular" in text for text in prepared(write(tmp_path / "source", files)).findings)


def test_what_differs_from_the_published_set_is_reported(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    (source / "README_FIRST.txt").touch()
    Image.new("L", (8, 8)).save(source / "KA.XX1.3.tiff")
    assert prepared(source).findings[:4] == (
        f"1 files in {source} are not images and were left out",
        "1 images are not named like KA.AN1.39.tiff and were left out: KA.XX1.3.tiff",
        "expected 213 images, found 70",
        "images per class: usually neutral 30, found 10; happiness 31, found 10; surprise 30, found 10; "
        "sadness 31, found 10; anger 30, found 10; disgust 29, found 10; fear 32, found 10",
    )


def test_a_missing_person_is_reported(tmp_path: Path) -> None:
    source = write(tmp_path / "source", [f"{name}.tiff" for name in names(SUBJECTS[:9])])
    assert "expected 10 persons, found 9" in prepared(source).findings


def test_a_mirror_that_holds_every_image_twice_counts_it_once(tmp_path: Path) -> None:
    both = [f"{folder}{name}{suffix}" for name in names() for folder, suffix in (("", ".tiff"), ("jpg/", ".jpg"))]
    copy = prepared(write(tmp_path / "source", both))
    assert copy.count == 70
    assert any(text.startswith("70 images occur more than once") for text in copy.findings)


def refusal(source: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(source)
    assert caught.value.hint
    return caught.value


def test_an_image_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    (source / "KA.AN1.1.tiff").write_bytes(b"<html>")
    assert str(source / "KA.AN1.1.tiff") in refusal(source).message


def test_other_images_are_refused_with_their_content(tmp_path: Path) -> None:
    error = refusal(write(tmp_path / "source", ["cat.png", "dog.png"]))
    assert error.message == (
        f"no JAFFE images found in {tmp_path / 'source'}: "
        "none of its 2 images is named like KA.AN1.39.tiff, the first is cat.png"
    )


def test_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "jaffe.zip"
    path.write_bytes(b"PK")
    assert refusal(path).message == f"{path} is a file"
