"""Images listed in a CSV, with paths relative to it."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from fersearch_datasets.manifest import Manifest
from PIL import Image

from fersearch import DataError
from fersearch.data.arrays import load, prepare
from fersearch.testing import DatasetSuite


def write_list(folder: Path, header: str, rows: Sequence[str], name: str = "faces.csv") -> Path:
    """Write the CSV and an image for every path in its first column."""
    for number, row in enumerate(rows):
        image = folder / row.split(",")[0]
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (48, 48), number).save(image)
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder / name


PEOPLE = [f"img/{who}-{label}.png,{label},p{who}" for who in range(20) for label in ("happy", "sad")]


class TestManifest(DatasetSuite):
    dataset = Manifest()

    def make_source(self, folder: Path) -> Path:
        return write_list(folder, "image,label,subject", PEOPLE)


def test_paths_are_relative_to_the_csv_and_labels_unchanged(tmp_path: Path) -> None:
    table = write_list(tmp_path / "list", "Image, Label", ["../pictures/1.png,Very Happy", "2.png,meh"])
    prepared = prepare(Manifest(), table, {}, tmp_path / "p")
    assert prepared.class_names == ("Very Happy", "meh")
    assert prepared.images[:, 0, 0, 0].tolist() == [0, 1]


def test_a_declared_split_is_used(tmp_path: Path) -> None:
    rows = ["a.png,x,train", "b.png,y,Training", "c.png,x,val", "d.png,y,test"]
    prepared = prepare(Manifest(), write_list(tmp_path, "image,label,split", rows), {}, tmp_path / "p")
    assert prepared.columns["split"].tolist() == [0, 0, 1, 2]
    assert prepared.findings == ()


def test_people_stay_together_when_parts_are_drawn(tmp_path: Path) -> None:
    prepared = prepare(Manifest(), write_list(tmp_path, "image,label,subject", PEOPLE), {}, tmp_path / "p")
    loaded = load(Manifest(), prepared, {}, with_test=True)
    seen = [set(prepared.columns["subject"][rows].tolist()) for rows in loaded.indices.values()]
    assert [len(people) for people in seen] == [14, 3, 3]
    assert len(set.union(*seen)) == sum(len(people) for people in seen)


def test_rows_without_a_split_among_others_are_reported(tmp_path: Path) -> None:
    rows = [f"{k}.png,{'xy'[k % 2]},{part}" for k, part in enumerate(["", "", "", "", "test", "test"])]
    prepared = prepare(Manifest(), write_list(tmp_path, "image,label,split", rows), {}, tmp_path / "p")
    assert prepared.findings == ("4 rows have no split; they go to train and to the parts that no row names",)


def test_an_image_listed_twice_is_reported(tmp_path: Path) -> None:
    table = write_list(tmp_path, "image,label", ["a.png,x", "b.png,y", "a.png,x"])
    assert "1 images are listed more than once: a.png" in prepare(Manifest(), table, {}, tmp_path / "p").findings


def test_the_only_csv_of_a_folder_is_used(tmp_path: Path) -> None:
    table = write_list(tmp_path / "list", "image,label", ["a.png,x"])
    assert Manifest().files(tmp_path / "list")[0] == table


def refusal(source: Path) -> str:
    with pytest.raises(DataError) as caught:
        prepare(Manifest(), source, {}, source.parent / "prepared")
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        ("image,emotion", "a.png,x", ": no column 'label'; it has image, emotion"),
        ("image,label,split", "a.png,x,trian", " line 2: unknown split 'trian'"),
        ("image,label", "a.png,", " line 2: label is blank"),
    ],
)
def test_a_wrong_list_is_named_with_its_line(tmp_path: Path, header: str, row: str, message: str) -> None:
    table = write_list(tmp_path, header, [row])
    assert refusal(table) == f"{table}{message}"


def test_a_missing_image_is_named_with_its_line(tmp_path: Path) -> None:
    table = write_list(tmp_path, "image,label", ["a.png,x", "b.png,y"])
    (tmp_path / "b.png").unlink()
    assert refusal(table) == f"{table} line 3: no file b.png in {tmp_path}"


def test_a_list_without_rows_is_refused(tmp_path: Path) -> None:
    table = write_list(tmp_path, "image,label", [])
    assert refusal(table) == f"{table} lists no images"


def test_a_folder_with_two_lists_asks_which(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_list(tmp_path / "list", "image,label", ["a.png,x"], name)
    assert refusal(tmp_path / "list") == f"no single CSV file in {tmp_path / 'list'}: it holds 2: a.csv, a.png, b.csv"


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("image,label", ["a.png,x", "b.png,NA"], "line 3: label is 'NA', which marks a missing value"),
        ("image,label", ["a.png,x", "a.png,y"], "line 3: image a.png has label 'y', on line 2 label 'x'"),
        (
            "image,label,split",
            ["a.png,x,train", "./a.png,x,test"],
            "line 3: image ./a.png has split 'test', on line 2 split 'train'",
        ),
        ("image,label,Usage", ["a.png,x,train", "b.png,y,fold3"], "line 3: unknown split 'fold3'"),
    ],
)
def test_what_a_list_says_twice_or_not_at_all_is_refused(
    tmp_path: Path, header: str, rows: list[str], message: str
) -> None:
    table = write_list(tmp_path, header, rows)
    assert refusal(table) == f"{table} {message}"


def test_a_split_under_another_name_is_used(tmp_path: Path) -> None:
    rows = ["a.png,Training,x", "b.png,Training,y", "c.png,PublicTest,x", "d.png,PrivateTest,y"]
    prepared = prepare(Manifest(), write_list(tmp_path, "image,USAGE,label", rows), {}, tmp_path / "p")
    assert prepared.columns["split"].tolist() == [0, 0, 1, 2]


def test_an_image_listed_twice_counts_once(tmp_path: Path) -> None:
    table = write_list(tmp_path, "image,label", ["a.png,x", "b.png,y", "./a.png,x"])
    prepared = prepare(Manifest(), table, {}, tmp_path / "p")
    assert prepared.columns["name"].tolist() == ["a.png", "b.png"]
    assert prepared.findings == ("1 images are listed more than once: ./a.png",)


def test_numbers_with_and_without_a_fraction_are_one_class(tmp_path: Path) -> None:
    rows = ["a.png,0", "b.png,1", "c.png,0.0", "d.png,1.0", "e.png,0"]
    prepared = prepare(Manifest(), write_list(tmp_path, "image,label", rows), {}, tmp_path / "p")
    assert prepared.class_names == ("0", "1")
    assert prepared.columns["label"].tolist() == [0, 1, 0, 1, 0]
    assert "'0' and '0.0' look like one class" in prepared.findings[0]


def test_backslashes_in_paths_are_named(tmp_path: Path) -> None:
    table = write_list(tmp_path, "image,label", ["img/a.png,x", "img/b.png,y"])
    table.write_text(table.read_text().replace("/", "\\"))
    assert refusal(table) == f"{table} line 2: image img\\a.png is written with backslashes"


def test_persons_that_are_not_known_are_no_person(tmp_path: Path) -> None:
    rows = ["a.png,x,nan", "b.png,y,NA", "c.png,x,"]
    prepared = prepare(Manifest(), write_list(tmp_path, "image,label,subject", rows), {}, tmp_path / "p")
    assert prepared.columns["subject"].tolist() == ["", "NA", ""]
