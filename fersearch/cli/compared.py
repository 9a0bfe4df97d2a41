"""Render comparisons and sweeps as tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from fersearch.cli import parts
from fersearch.cli.parts import Text

if TYPE_CHECKING:
    from fersearch.api.results import Grid, Line

STYLES = {"heading": "bold", "plain": "", "aside": "dim", "warning": "yellow"}


def drawn(items: "Sequence[Grid | Line]") -> list[RenderableType]:
    """Return renderables: lines in their style, grids as tables."""
    from fersearch.api.results import Grid

    return [_table(item) if isinstance(item, Grid) else _line(item) for item in items]


def _line(line: "Line") -> RenderableType:
    return Text(line.text, style=STYLES[line.kind]) if line.text else ""


def _table(grid: "Grid") -> RenderableType:
    titles = [f"{'>' if right else ''}{title}" for title, right in zip(grid.titles, grid.right, strict=True)]
    return parts.table(
        titles,
        [
            [Text(cell, "bold" if (i, j) in grid.marked else "") for j, cell in enumerate(row)]
            for i, row in enumerate(grid.rows)
        ],
    )
