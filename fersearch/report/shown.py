"""A comparison on a screen: lines and grids of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from fersearch.report.tables import Table, is_number, text


@dataclass(frozen=True)
class Grid:
    """Cells as text under titles; `marked` holds (row, column) of highlighted cells, `right` columns of numbers."""

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: Sequence[bool]
    marked: frozenset[tuple[int, int]]

    @classmethod
    def of(cls, table: Table) -> "Grid":
        """Return a report's table as text."""
        columns = range(len(table.columns))
        right = [bool(table.rows) and all(is_number(row[j]) for row in table.rows) for j in columns]
        return cls(table.columns, [[text(cell) for cell in row] for row in table.rows], right, table.marked)


@dataclass(frozen=True)
class Line:
    """A line of text: a heading, plain text, an aside, or a warning; an empty one is a gap."""

    text: str = ""
    kind: Literal["heading", "plain", "aside", "warning"] = "plain"
