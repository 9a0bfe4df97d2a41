"""AffectNet in both of its forms: annotation files and tables."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import load
from tests.plugins.datasets.test_layouts import (
    AFFECTNET,
    DATASETS,
    classes_by_part,
    labels_of,
    prepared,
    write_affectnet,
    write_affectnet_tables,
)


@pytest.mark.parametrize("write", [write_affectnet, write_affectnet_tables])
def test_affectnet_codes_are_mapped_and_images_of_no_class_left_out(tmp_path: Path, write) -> None:
    made = prepared("affectnet", write(tmp_path / "source"))
    by_name = dict(zip(made.columns["name"].tolist(), labels_of(made), strict=True))
    first = {Path(name).stem: word for name, word in by_name.items() if "val_set" in name or "/1/" in name}
    assert tuple(first[str(k)] for k in range(8)) == AFFECTNET
    assert made.count == 32
    assert "images of no class were left out" in made.findings[0]
    assert Counter(made.columns["split"].tolist()) == {0: 24, 1: 8}


def test_affectnet_has_no_test_and_seven_classes_drop_contempt(tmp_path: Path) -> None:
    made = prepared("affectnet", write_affectnet(tmp_path / "source"))
    seven = classes_by_part("affectnet", made, classes=7)
    assert {part: sum(counts.values()) for part, counts in seven.items()} == {"train": 21, "valid": 7}
    assert "contempt" not in seven["train"]
    with pytest.raises(DataError, match="no test split"):
        load(DATASETS["affectnet"], made, {}, with_test=True)


def test_affectnet_tables_cut_the_face_out_of_the_photo(tmp_path: Path) -> None:
    made = prepared("affectnet", write_affectnet_tables(tmp_path / "source"), image_size=20, channels=3)
    photo = np.asarray(Image.open(tmp_path / "source" / "Manually_Annotated_Images" / "0" / "0.jpg"))
    assert np.array_equal(made.images[0], photo[5:25, 10:30].transpose(2, 0, 1))


def test_an_affectnet_image_without_annotation_is_named(tmp_path: Path) -> None:
    source = write_affectnet(tmp_path / "source")
    (source / "train_set" / "annotations" / "7_exp.npy").unlink()
    with pytest.raises(DataError) as caught:
        prepared("affectnet", source)
    assert caught.value.message == (f"1 of 25 images in {source / 'train_set'} have no annotation, the first is 7.jpg")


def test_half_of_affectnet_is_refused(tmp_path: Path) -> None:
    source = write_affectnet(tmp_path / "source")
    (source / "train_set").rename(source / "elsewhere")
    with pytest.raises(DataError, match="train_set/images, train_set/annotations missing"):
        prepared("affectnet", source)


def test_a_broken_or_unknown_affectnet_annotation_is_named(tmp_path: Path) -> None:
    source = write_affectnet(tmp_path / "source")
    path = source / "val_set" / "annotations" / "0_exp.npy"
    np.save(path, np.array("11"))
    with pytest.raises(DataError, match=r"val_set/annotations/0_exp\.npy: unknown emotion code '11'"):
        prepared("affectnet", source)
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"annotation .*0_exp.npy is corrupt"):
        prepared("affectnet", source)


def test_annotations_without_an_image_are_reported(tmp_path: Path) -> None:
    source = write_affectnet(tmp_path / "source")
    (source / "train_set" / "images" / "24.jpg").unlink()
    assert "1 annotations in train_set have no image: 24_exp.npy" in prepared("affectnet", source).findings


def test_affectnet_codes_as_fractions_are_the_same_codes(tmp_path: Path) -> None:
    source = write_affectnet_tables(tmp_path / "source")
    before = labels_of(prepared("affectnet", source))
    for table in source.glob("*.csv"):
        table.write_text(re.sub(r",(\d+),0\.1,", r",\1.0,0.1,", table.read_text()))
    assert labels_of(prepared("affectnet", source)) == before
