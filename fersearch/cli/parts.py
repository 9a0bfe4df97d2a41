"""Building blocks of tables: safe text, grids, headings, times."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text as RichText

from fersearch.escaping import printable, safe

Cell = str | RichText
SHORT = 12
"""Width in characters up to which a cell is never folded."""


class Text(RichText):
    """Text whose control characters are escaped before anything is measured."""

    def __init__(self, text: str = "", *arguments: Any, **options: Any) -> None:
        super().__init__(safe(text), *arguments, **options)

    def append(self, text: RichText | str, style: str | Style | None = None) -> "Text":
        """Append text, escaped, or styled text."""
        super().append(safe(text) if isinstance(text, str) else text, style)
        return self


class SafeConsole(Console):
    """A console that escapes control characters in all text, whatever its origin."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of a renderable with their text escaped; rich's own control segments pass unchanged."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def table(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """Return a plain table; a title that starts with `>` aligns its column right, for numbers."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    filled = list(rows)
    for index, heading in enumerate(titles):
        figures = heading.startswith(">")
        whole = figures or all(len(row[index]) <= SHORT for row in filled)
        grid.add_column(
            safe(heading.lstrip(">")), justify="right" if figures else "left", no_wrap=whole, overflow="fold"
        )
    for row in filled:
        grid.add_row(*map(shown, row))
    return grid


def shown(cell: Cell) -> RichText:
    """Return a cell as it is printed."""
    return Text(cell) if isinstance(cell, str) else cell


def facts(entries: Mapping[str, Cell] | Iterable[tuple[str, Cell]]) -> Table:
    """Return a grid of names and values; empty values are left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in entries.items() if isinstance(entries, Mapping) else entries:
        if value:
            grid.add_row(Text(name), shown(value))
    return grid


def title(text: str) -> Text:
    """Return the heading of a table."""
    return Text(text, style="bold")


def moment(time: datetime) -> str:
    """Format a time in the local time zone, to the minute."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M")
