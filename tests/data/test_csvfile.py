"""CSV files, and the messages for malformed ones."""

from pathlib import Path

import pytest

from fersearch import DataError
from fersearch.data.csvfile import looks_like_split, parts_of_rows, rows


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        list(rows(path, ["image", "label"], ["split"]))
    return caught.value


def test_columns_are_recognised_in_any_order_case_and_spacing(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "\ufeffLabel, IMAGE ,other\n happy , 1.png ,x\n\nsad,2.png,y\n")
    result = list(rows(path, ["image", "label"], ["split"]))
    assert [(row["image"], row["label"], row.get("split"), row.line) for row in result] == [
        ("1.png", "happy", "", 2),
        ("2.png", "sad", "", 4),
    ]


def test_a_missing_column_is_named_with_what_is_there(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "image,emotion\n1.png,happy\n")
    assert refusal(path).message == f"{path}: no column 'label'; it has image, emotion"
    assert refusal(path).hint == "expected the columns image, label and optionally split"


def test_a_short_row_is_named_by_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "image,label\n1.png,happy\n2.png\n")
    assert refusal(path).message == f"{path} line 3: 1 columns, the header has 2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"image,label\n\xff\xfe\x00", "is not CSV text"),
        (b"image,label\nx," + b"y" * 200_000, "is not CSV text"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = written(tmp_path / "a.csv", content)
    assert refusal(path).message.startswith(f"{path} {message}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.csv").message == f"{tmp_path / 'no.csv'} does not exist"


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        ("image;label\na;b\n", "line 1: cells are separated by semicolons, not by commas", "commas"),
        ("image\tlabel\na\tb\n", "line 1: cells are separated by tabs, not by commas", "commas"),
        ("image,label,Label\na,b,c\n", "line 1: column 'label' is there twice: columns 2 and 3", "keep one"),
        ("image,label\na,b\n1,2.png,happy\n", "line 3: 3 columns, the header has 2", "quotes"),
        ("image,label,usage,fold\na,b,c,d\n", "line 1: column 'usage' and 'fold' look like splits", "rename"),
        ("image,label,split,Set\na,b,c,d\n", "line 1: column 'split' and 'set' look like splits", "rename"),
        ("img/1.png,happy\n", "no column 'image'; it has img/1.png, happy", "the first line must name the columns"),
    ],
)
def test_what_would_be_misread_is_refused_with_its_line(tmp_path: Path, content: str, message: str, hint: str) -> None:
    path = written(tmp_path / "a.csv", content)
    with pytest.raises(DataError) as caught:
        list(rows(path, ["image", "label"], split="split"))
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("column", ["split", "Usage", "SET", "subset", "partition", "fold", "data_split", "Set name"])
def test_a_column_that_looks_like_a_split_is_read_as_one_or_refused(tmp_path: Path, column: str) -> None:
    path = written(tmp_path / "a.csv", f"image,label,{column}\n1.png,x,Training\n2.png,y,val\n3.png,x,\n4.png,y,NA\n")
    listed = list(rows(path, ["image", "label"], split="split"))
    assert parts_of_rows(listed) == [0, 1, -2, -2]
    with pytest.raises(DataError) as caught:
        list(rows(path, ["image", "label"]))
    finding = f"column '{column.lower()}' looks like a split, which is not read here"
    assert caught.value.message == f"{path} line 1: {finding}"


def test_other_columns_are_no_splits() -> None:
    assert not any(
        map(looks_like_split, ("label", "dataset", "image", "setting", "subject", "name", "offset", "train"))
    )


def test_a_split_that_is_no_part_is_named_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "image,label,fold\n1.png,x,3\n")
    with pytest.raises(DataError) as caught:
        parts_of_rows(list(rows(path, ["image"], split="split")))
    assert caught.value.message == f"{path} line 2: unknown split '3'"
    assert "--split kfold" in caught.value.hint


@pytest.mark.parametrize(
    ("cell", "message"), [("", "is blank"), ("NA", "is 'NA', which marks"), ("nan", "is 'nan'"), ("None", "is 'None'")]
)
def test_a_cell_without_a_value_is_named(tmp_path: Path, cell: str, message: str) -> None:
    path = written(tmp_path / "a.csv", f"image,label\n1.png,{cell}\n")
    (row,) = rows(path, ["image", "label"])
    with pytest.raises(DataError) as caught:
        row.required("label")
    assert caught.value.message.startswith(f"{path} line 2: label {message}")


def test_rows_without_a_single_value_are_passed_over(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "image,label,,\n1.png,x,,\n,,,\n2.png,y,,,,\n")
    assert [row["image"] for row in rows(path, ["image", "label"])] == ["1.png", "2.png"]
