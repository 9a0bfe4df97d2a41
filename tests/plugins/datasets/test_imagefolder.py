"""A folder of images per class, as people have them."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from fersearch_datasets.imagefolder import ImageFolder
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import load, prepare
from fersearch.data.formats import decodable
from fersearch.data.verify import show, verify
from fersearch.testing import DatasetSuite

CLASSES = ("Bored", "amused", "zen")


def write_classes(root: Path, classes: Sequence[str] = CLASSES, n: int = 10, size: int = 48) -> Path:
    random = np.random.default_rng(n)
    for label in classes:
        (root / label).mkdir(parents=True)
        for k in range(n):
            pixels = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{k}.png")
    return root


class TestWithoutParts(DatasetSuite):
    dataset = ImageFolder()

    def make_source(self, folder: Path) -> Path:
        return write_classes(folder)


class TestWithParts(DatasetSuite):
    dataset = ImageFolder()

    def make_source(self, folder: Path) -> Path:
        for part in ("train", "val", "test"):
            write_classes(folder / part, n=3)
        return folder


def test_class_names_are_unchanged_and_sorted(tmp_path: Path) -> None:
    prepared = prepare(ImageFolder(), write_classes(tmp_path / "source"), {}, tmp_path / "p")
    assert prepared.class_names == CLASSES
    assert (prepared.image_size, prepared.channels) == (48, 1)


def test_parts_are_drawn_by_class_where_there_are_none(tmp_path: Path) -> None:
    prepared = prepare(ImageFolder(), write_classes(tmp_path / "source", n=20), {}, tmp_path / "p")
    splits = show(ImageFolder(), prepared, {})["splits"]
    assert {part: list(facts["per_class"].values()) for part, facts in splits.items()} == {
        "train": [14, 14, 14],
        "valid": [3, 3, 3],
        "test": [3, 3, 3],
    }


def test_valid_is_drawn_from_train_where_only_test_exists(tmp_path: Path) -> None:
    write_classes(tmp_path / "source" / "train", n=20)
    write_classes(tmp_path / "source" / "test", n=5)
    prepared = prepare(ImageFolder(), tmp_path / "source", {}, tmp_path / "p")
    loaded = load(ImageFolder(), prepared, {}, with_test=True)
    assert {part: len(rows) for part, rows in loaded.indices.items()} == {"train": 48, "valid": 12, "test": 15}
    names = prepared.columns["name"][loaded.indices["test"]].tolist()
    assert all(name.startswith("test/") for name in names)


def test_size_and_colour_can_be_set(tmp_path: Path) -> None:
    source = write_classes(tmp_path / "source", size=60)
    prepared = prepare(ImageFolder(), source, {"image_size": 32, "channels": 3}, tmp_path / "p")
    assert prepared.images.shape == (30, 3, 32, 32)
    assert prepared.findings == ("30 images were converted to 32x32 RGB: 30 of 60x60 RGB",)


def test_what_looks_wrong_is_reported(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write_classes(source / "train", ("happy", "Happiness"), n=4)
    write_classes(source / "test", ("happy", "Happiness"), n=1)
    (source / "train" / "happy" / "notes.txt").touch()
    findings = prepare(ImageFolder(), source, {}, tmp_path / "p").findings
    assert findings[:2] == (
        f"1 files in {source / 'train'} are not images and were left out",
        "classes 'Happiness' and 'happy' look like one class (happiness); they are kept apart",
    )


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    source = write_classes(tmp_path / "source")
    (source / "zen" / "3.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"zen/3.png is empty \(0 bytes\)"):
        prepare(ImageFolder(), source, {}, tmp_path / "p")


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    prepared = prepare(ImageFolder(), write_classes(tmp_path / "source", ("only",)), {}, tmp_path / "p")
    with pytest.raises(DataError, match="has 1 classes: only"):
        load(ImageFolder(), prepared, {})


def test_spellings_of_one_class_are_taken_together_and_reported(tmp_path: Path) -> None:
    write_classes(tmp_path / "source" / "train", ("Angry", "sad"), n=4)
    write_classes(tmp_path / "source" / "test", ("angry", "sad "), n=2)
    prepared = prepare(ImageFolder(), tmp_path / "source", {}, tmp_path / "p")
    assert prepared.class_names == ("Angry", "sad")
    assert prepared.findings[:2] == (
        "classes 'Angry' and 'angry' look like one class: their images are taken together as 'Angry'",
        "classes 'sad' and 'sad ' look like one class: their images are taken together as 'sad'",
    )
    assert show(ImageFolder(), prepared, {})["splits"]["test"]["per_class"] == {"Angry": 2, "sad": 2}


def test_a_class_without_a_training_image_is_named(tmp_path: Path) -> None:
    write_classes(tmp_path / "source" / "train", ("angry", "sad"), n=4)
    write_classes(tmp_path / "source" / "test", ("angry", "sad", "zen"), n=1)
    prepared = prepare(ImageFolder(), tmp_path / "source", {}, tmp_path / "p")
    warnings = ("class 'zen' has 1 images in valid and test and no image to train on",)
    assert load(ImageFolder(), prepared, {}).untaught == warnings
    assert show(ImageFolder(), prepared, {})["findings"] == list(warnings)
    assert warnings[0] in verify(ImageFolder(), prepared, {}).findings


def test_files_whose_names_are_not_utf8_are_read(tmp_path: Path) -> None:
    source = write_classes(tmp_path / "source", ("a", "b"), n=4)
    strange = os.fsdecode(os.fsencode(source / "a") + b"/caf\xe9.png")
    (source / "a" / "0.png").rename(strange)
    prepared = prepare(ImageFolder(), source, {}, tmp_path / "p")
    assert prepared.count == 8
    assert Path(strange).name in {Path(name).name for name in prepared.columns["name"].tolist()}


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".avif"])
def test_other_suffixes_of_images_are_read(tmp_path: Path, suffix: str) -> None:
    if suffix == ".avif" and not decodable(suffix):
        pytest.skip("this Pillow cannot decode AVIF")
    source = write_classes(tmp_path / "source", ("a", "b"), n=4)
    Image.new("RGB", (48, 48), (9, 9, 9)).save(source / "a" / f"x{suffix}", "AVIF" if suffix == ".avif" else "JPEG")
    prepared = prepare(ImageFolder(), source, {}, tmp_path / "p")
    row = prepared.columns["name"].tolist().index(f"a/x{suffix}")
    assert prepared.count == 9
    assert abs(int(prepared.images[row].mean()) - 9) <= 2


def test_findings_are_those_of_the_chosen_folder(tmp_path: Path) -> None:
    first = write_classes(tmp_path / "first", ("a", "b"), n=4, size=50)
    shutil.copytree(first, tmp_path / "second")
    (first / "_c").mkdir()
    (first / "a" / "notes.txt").touch()
    converted = "8 images were converted to 48x48 grey: 8 of 50x50 RGB"
    prepared_first = prepare(ImageFolder(), first, {}, tmp_path / "p")
    assert prepared_first.findings[-1] == converted
    assert len(prepared_first.findings) == 3
    again = prepare(ImageFolder(), tmp_path / "second", {}, tmp_path / "p")
    assert again.folder == prepared_first.folder
    assert again.findings == (converted,)
