"""Render tables of thousands of rows whose last column is long, such as parameters."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from fersearch.cli.parts import Cell, shown, table
from fersearch.escaping import safe

ROOM, LINES = 40, 3
"""Least width in characters of a long last column beside the others, and the most lines that it may take there."""
INDENT, GAP = 7, 2
"""Spaces before a cell below its row, and between two columns."""


@dataclass(frozen=True)
class Listing:
    """A table that prints its last column below each row where the other columns leave it too little width.

    Where the other columns fit unfolded, lines are assembled here: rich measures and renders each cell of a table
    several times, which takes ten times as long.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[Cell]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield each row as one line with its last cell beside or below; rich folds what does not fit."""
        rows: list[Sequence[Cell]] = [
            [safe(cell) if isinstance(cell, str) else cell for cell in row] for row in self.rows
        ]
        cells: list[Sequence[Cell]] = [[safe(title.lstrip(">")) for title in self.titles], *rows]
        widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
        short = sum(widths[:-1]) + GAP * (len(widths) - 2)
        longest, room = max(_width(row[-1]) for row in rows), options.max_width - short
        beside = room >= min(longest, ROOM) and longest <= LINES * room
        if room < 0 or not all(_plain(cell) for row in rows for cell in row):
            yield from self._folded(beside, console, options)
            return
        for place, row in enumerate(cells):
            yield from self._line(console, row, widths, "" if place else "bold")
            if beside:
                yield from _after(console, row[-1], short + GAP, room - GAP, "" if place else "bold")
            else:
                yield Segment.line()
                yield from _below(row[-1], options.max_width) if place else ()

    def _line(self, console: Console, row: Sequence[Cell], widths: Sequence[int], style: str) -> Iterator[Segment]:
        """Yield the segments of a row without its last cell."""
        for place, (title, cell, width) in enumerate(zip(self.titles[:-1], row, widths, strict=False)):
            text, own = (cell, style) if isinstance(cell, str) else (cell.plain, cell.style)
            fill, figures = " " * (width - cell_len(text)), title.startswith(">")
            yield Segment(" " * (GAP if place else 0) + (fill if figures else ""))
            yield Segment(text, console.get_style(own))
            yield Segment("" if figures else fill)

    def _folded(self, beside: bool, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table as laid out by rich, for cells that must be folded."""
        if beside:
            yield table(self.titles, self.rows)
            return
        short: Table = table(self.titles[:-1], [row[:-1] for row in self.rows])
        for column in short.columns:
            column.no_wrap = True
        heading, *lines = console.render_lines(short, options, pad=False)
        yield from (*heading, Segment.line())
        for line, row in zip(lines, self.rows, strict=True):
            yield from (*line, Segment.line())
            yield Padding(shown(row[-1]), (0, 0, 0, INDENT))


def _after(console: Console, cell: Cell, indent: int, room: int, style: str) -> Iterator[Segment]:
    """Yield the last cell on its row's line, wrapped to `room` characters."""
    text = _text(cell)
    folded = [text] if cell_len(text) <= room else [line.plain for line in Text(text).wrap(console, room)]
    for place, line in enumerate(folded):
        yield Segment(" " * (indent if place else GAP))
        yield Segment(line.rstrip(), console.get_style(style))
        yield Segment.line()


def _below(cell: Cell, width: int) -> RenderResult:
    """Yield the last cell on lines of its own below its row."""
    if INDENT + _width(cell) > width:
        yield Padding(shown(cell), (0, 0, 0, INDENT))
    else:
        yield from (Segment(" " * INDENT + _text(cell)), Segment.line())


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.plain


def _width(cell: Cell) -> int:
    return cell_len(_text(cell))


def _plain(cell: Cell) -> bool:
    """Return whether a cell is one line in one style."""
    text = _text(cell)
    return text.isprintable() and (isinstance(cell, str) or not cell.spans)
