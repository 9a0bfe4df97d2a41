"""NHFI: eight class folders, no split, no persons."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets.nhfi import Nhfi
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import Prepared, load, prepare
from fersearch.data.labels import EMOTIONS
from fersearch.data.verify import show, verify
from fersearch.study import Protocol
from fersearch.testing import DatasetSuite

FOLDERS = ("anger", "contempt", "disgust", "fear", "happiness", "neutrality", "sadness", "surprise")


def write(root: Path, folders: Sequence[str] = FOLDERS, n: int = 10) -> Path:
    random = np.random.default_rng(5)
    for name in folders:
        (root / name).mkdir(parents=True)
        for k in range(n):
            Image.fromarray(random.integers(0, 256, (56, 56), dtype=np.uint8)).save(root / name / f"img{k}.png")
    return root


class TestNhfi(DatasetSuite):
    dataset = Nhfi()

    def make_source(self, folder: Path) -> Path:
        write(folder / "dataset", n=4)
        return folder


def prepared(source: Path) -> Prepared:
    return prepare(Nhfi(), source, {}, source.parent / "prepared")


def test_folders_are_mapped_by_name(tmp_path: Path) -> None:
    copy = prepared(write(tmp_path / "source"))
    assert copy.class_names == EMOTIONS
    for name, label in zip(copy.columns["name"].tolist(), copy.columns["label"].tolist(), strict=True):
        folder = name.split("/")[0]
        assert EMOTIONS[label] == ("neutral" if folder == "neutrality" else folder)


def test_parts_are_drawn_by_class(tmp_path: Path) -> None:
    splits = show(Nhfi(), prepared(write(tmp_path / "source")), {})["splits"]
    assert {part: set(facts["per_class"].values()) for part, facts in splits.items()} == {
        "train": {7},
        "valid": {2},
        "test": {1},
    }


def test_it_knows_no_persons_to_keep_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not list its subjects"):
        load(Nhfi(), prepared(write(tmp_path / "source")), {}, Protocol(split="kfold", folds=2, by="subject"))


def test_what_differs_from_the_published_set_is_reported(tmp_path: Path) -> None:
    source = write(tmp_path / "source", FOLDERS[:7])
    (source / "fear" / "urls.txt").touch()
    assert prepared(source).findings == (
        f"1 files in {source} are not images and were left out",
        "expected 5,558 images, found 70",
        "no folder for surprise",
        "70 images were converted to 48x48 grey: 70 of 56x56 L",
    )


def test_equal_pictures_on_both_sides_of_the_split_are_reported(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    for folder in FOLDERS:
        for k in range(10):
            Image.new("L", (56, 56), 9).save(source / folder / f"img{k}.png")
    findings = verify(Nhfi(), prepared(source), {}).findings
    assert any(text.startswith("leakage: 16 valid images also occur in train") for text in findings)


def refusal(source: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        prepared(source)
    assert caught.value.hint
    return caught.value


def test_an_unknown_folder_is_named_with_the_nearest_word(tmp_path: Path) -> None:
    source = write(tmp_path / "source", (*FOLDERS[:7], "suprise"))
    error = refusal(source)
    assert error.message == f"{source / 'suprise'}: unknown label 'suprise'"
    assert "did you mean 'surprise'?" in error.hint


def test_a_folder_that_is_no_class_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "source", (*FOLDERS, "confusion"))
    assert refusal(source).message == f"{source / 'confusion'}: 'confusion' is not a class of NHFI"


def test_an_empty_class_folder_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "source", FOLDERS[:7])
    (source / "surprise").mkdir()
    assert refusal(source).message == f"class folder {source / 'surprise'} holds no images"


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    source = write(tmp_path / "source")
    (source / "fear" / "img3.png").write_bytes(b"<html>")
    assert str(source / "fear" / "img3.png") in refusal(source).message


def test_a_folder_without_nhfi_is_refused_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "source" / "a").mkdir(parents=True)
    assert refusal(tmp_path / "source").message == f"no NHFI images found in {tmp_path / 'source'}: it holds a/"
