"""CSV files with a header, read row by row, each mistake named with its line."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fersearch.data.folders import PARTS, unreadable
from fersearch.data.formats import is_image
from fersearch.data.parts import parts_of
from fersearch.data.textfile import ENCODING, not_utf8
from fersearch.errors import DataError, suggestion

TO_DRAW = -2
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
SPLIT_COLUMNS = frozenset(("usage", "set", "subset", "split", "partition", "fold"))
BESIDE_SPLIT = frozenset(("data", "dataset", "image", "images", "train", "valid", "val", "test", "name", "type", "id"))
# What pandas and spreadsheets write for nothing.
MISSING = frozenset(
    (
        "",
        "NA",
        "N/A",
        "n/a",
        "nan",
        "NaN",
        "NAN",
        "-nan",
        "-NaN",
        "null",
        "NULL",
        "None",
        "<NA>",
        "#N/A",
        "#NA",
        "#N/A N/A",
    )
)


@dataclass(frozen=True)
class Row:
    """One row: its line in the file (the header is line 1) and the requested columns by lower-case name."""

    path: Path
    line: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def get(self, column: str) -> str:
        """Return the value of an optional column, "" where the file does not have it."""
        return self.values.get(column, "")

    def required(self, column: str) -> str:
        """Return the value of a column that must have one.

        Raises:
            DataError: it is blank, or a marker that programs write for a missing value, such as NA.
        """
        value = self[column]
        if value not in MISSING:
            return value
        problem = f"is '{value}', which marks a missing value" if value else "is blank"
        raise DataError(f"{self.where}: {column} {problem}", "fill it in, or remove the row")

    @property
    def where(self) -> str:
        """File and line of the row, as error messages give them."""
        return f"{self.path} line {self.line}"


def header(path: Path) -> list[str]:
    """Return the column names, without blanks around them and in lower case.

    Raises:
        DataError: the file is missing, empty or not text.
    """
    for _, cells in raw_rows(path):
        return [cell.strip().lower() for cell in cells]
    raise DataError(f"{path} is empty", "expected a CSV file with a header row")


def rows(path: Path, required: Sequence[str], optional: Sequence[str] = (), split: str | None = None) -> Iterator[Row]:
    """Yield each row's required and optional columns, in any order and with any case in the header.

    `split` is the column that gives the part of the split, if the file has one. Another column that looks like it
    (`Usage`, `set`, `fold` ...) is read in its place; a file with two of them is refused.

    Raises:
        DataError: the file cannot be read, a required column is missing or there twice, what looks like a split
            cannot be used, or a row is too short or too long.
    """
    names = header(path)
    places = _places(path, names, required, optional, split)
    for line, cells in raw_rows(path, skip=1):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) < len(names):
            raise DataError(
                f"{path} line {line}: {len(cells)} columns, the header has {len(names)}", "complete the row"
            )
        if any(cell.strip() for cell in cells[len(names) :]):
            hint = "put a cell that holds a comma into quotes"
            raise DataError(f"{path} line {line}: {len(cells)} columns, the header has {len(names)}", hint)
        yield Row(path, line, {column: cells[place].strip() for column, place in places.items()})


def parts_of_rows(listed: Sequence[Row], column: str = "split") -> list[int]:
    """Return the part of each row by its column: 0 train, 1 valid, 2 test, -2, to be drawn, where it has none.

    Raises:
        DataError: a value is not the name of a part.
    """
    texts = {row.get(column) for row in listed}
    known = dict.fromkeys(texts & MISSING, TO_DRAW) | parts_of(texts)
    for row in listed:
        text = row.get(column)
        if text not in known:
            hint = suggestion(text, PARTS)
            if text.replace(".", "").isdigit():
                hint = "folds are drawn by fersearch (--split kfold): write train, valid or test, or remove the column"
            raise DataError(f"{row.where}: unknown split '{text}'", hint)
    return [known[row.get(column)] for row in listed]


def looks_like_split(column: str) -> bool:
    """Return whether a column's name suggests that it gives the part of a split: `Usage`, `data_split`, `Set name`."""
    parts = set(re.findall(r"[^\W_]+", column.lower()))
    return bool(parts & SPLIT_COLUMNS) and parts <= SPLIT_COLUMNS | BESIDE_SPLIT


def _places(
    path: Path, names: Sequence[str], required: Sequence[str], optional: Sequence[str], split: str | None
) -> dict[str, int]:
    """Return the index of every column that the file has."""
    missing = [column for column in required if column not in names]
    if missing:
        raise _misses(path, names, missing[0], [*required], [*optional, *([split] if split else [])])
    columns = [column for column in (*required, *optional) if column in names]
    for column in columns:
        if names.count(column) > 1:
            numbers = " and ".join(str(k) for k, name in enumerate(names, 1) if name == column)
            raise DataError(f"{path} line 1: column '{column}' is there twice: columns {numbers}", "keep one of them")
    places = {column: names.index(column) for column in columns}
    splits = [k for k, name in enumerate(names) if looks_like_split(name) and name not in columns]
    if not splits:
        return places
    if split is None or len(splits) > 1 or any(looks_like_split(column) for column in columns):
        listing = " and ".join(f"'{names[k]}'" for k in splits)
        known = f"the split is {split}; " if split and len(splits) == 1 else ""
        problem = "look like splits" if len(splits) > 1 else "looks like a split, which is not read here"
        raise DataError(
            f"{path} line 1: column {listing} {problem}", f"{known}remove or rename what is not a split of this study"
        )
    return {**places, str(split): splits[0]}


def _misses(path: Path, names: Sequence[str], column: str, required: list[str], optional: list[str]) -> DataError:
    """Return the error for a column that is not there, or for a file whose cells are not separated by commas."""
    for separator, separator_name in SEPARATORS.items():
        if any(separator in name for name in names):
            message = f"{path} line 1: cells are separated by {separator_name}, not by commas"
            return DataError(message, "save it as CSV with commas (pandas: to_csv(path, index=False))")
    expected = f"expected the columns {', '.join(required)}" + (
        f" and optionally {', '.join(optional)}" if optional else ""
    )
    if any(is_image(name) for name in names):
        expected = f"the first line must name the columns; {expected}"
    return DataError(f"{path}: no column '{column}'; it has {', '.join(names)}", expected)


def raw_rows(path: Path, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of every row that is not blank, after the first `skip` of them.

    Raises:
        DataError: the file is missing, may not be read, or is not CSV text.
    """
    try:
        with path.open(newline="", encoding=ENCODING) as file:
            reader = csv.reader(file)
            for cells in reader:
                if not cells:
                    continue
                if skip:
                    skip -= 1
                    continue
                yield reader.line_num, cells
    except OSError as error:
        raise unreadable(path, error) from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not CSV text: {not_utf8(path, error).message}", "save it in UTF-8") from None
    except csv.Error as error:
        raise DataError(
            f"{path} is not CSV text: {error}", "expected a text file in UTF-8, cells separated by commas"
        ) from None


def unslashed(folder: Path, name: str) -> bool:
    """Return whether a missing file exists once the backslashes in its name are slashes."""
    return "\\" in name and (folder / name.replace("\\", "/")).is_file()
