"""CSV files with a header, read row by row, each mistake named with its line."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fersearch.data.folders import unreadable
from fersearch.errors import DataError


@dataclass(frozen=True)
class Row:
    """One row: its line in the file (the header is line 1) and the asked columns by lower-case name."""

    path: Path
    line: int
    values: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.values[column]

    def get(self, column: str) -> str:
        """The value of an optional column, "" where the file does not have it."""
        return self.values.get(column, "")

    @property
    def where(self) -> str:
        """The row's place, as messages name it."""
        return f"{self.path} line {self.line}"


def header(path: Path) -> list[str]:
    """The column names, without blanks around them and in lower case.

    Raises:
        DataError: the file is missing, empty or no text.
    """
    for _, cells in raw_rows(path):
        return [cell.strip().lower() for cell in cells]
    raise DataError(f"{path} is empty", "expected a CSV file with a header row")


def rows(path: Path, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """Yield each row's required and optional columns, whatever their order and the case of the header.

    Raises:
        DataError: the file cannot be read, a required column is missing, or a row is too short.
    """
    names = header(path)
    missing = [column for column in required if column not in names]
    if missing:
        raise DataError(
            f"{path}: no column '{missing[0]}'; it has {', '.join(names)}",
            f"expected the columns {', '.join(required)}"
            + (f" and optionally {', '.join(optional)}" if optional else ""),
        )
    places = [(column, names.index(column)) for column in (*required, *optional) if column in names]
    for line, cells in raw_rows(path, skip=1):
        if len(cells) < len(names):
            raise DataError(
                f"{path} line {line}: {len(cells)} columns, the header has {len(names)}", "complete the row"
            )
        yield Row(path, line, {column: cells[place].strip() for column, place in places})


def raw_rows(path: Path, skip: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of every row that is not blank, after the first `skip` of them.

    Raises:
        DataError: the file is missing, may not be read, or is no CSV text.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
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
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} is no CSV text: {error}", "expected a text file in UTF-8, cells separated by commas"
        ) from None
