"""CSV files, and what is said when one is not what it should be."""

from pathlib import Path

import pytest

from fersearch import DataError
from fersearch.data.tables import rows


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refusal(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        list(rows(path, ["image", "label"], ["split"]))
    return caught.value


def test_columns_are_found_whatever_their_order_case_and_blanks(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "\ufeffLabel, IMAGE ,other\n happy , 1.png ,x\n\nsad,2.png,y\n")
    found = list(rows(path, ["image", "label"], ["split"]))
    assert [(row["image"], row["label"], row.get("split"), row.line) for row in found] == [
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
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"image,label\n\xff\xfe\x00", "is no CSV text"),
        (b"image,label\nx," + b"y" * 200_000, "is no CSV text"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    path = written(tmp_path / "a.csv", content)
    assert refusal(path).message.startswith(f"{path} {told}")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no.csv").message == f"{tmp_path / 'no.csv'} does not exist"
