"""The parts that tables for a person are made of."""

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

Cell = str | Text


def table(titles: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Table:
    """A plain table; a title that starts with `>` heads a column of figures."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in titles:
        figures = heading.startswith(">")
        grid.add_column(heading.lstrip(">"), justify="right" if figures else "left", no_wrap=figures, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return grid


def facts(found: Mapping[str, Cell] | Iterable[tuple[str, Cell]]) -> Table:
    """Names and what is known of each; what is empty is left out."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in found.items() if isinstance(found, Mapping) else found:
        if value:
            grid.add_row(Text(name), Text(value) if isinstance(value, str) else value)
    return grid


def title(text: str) -> Text:
    """What stands above a table."""
    return Text(text, style="bold")
