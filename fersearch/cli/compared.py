"""Comparisons and sweeps, as tables for a person."""

from typing import TYPE_CHECKING

from rich.console import RenderableType

from fersearch.cli import parts
from fersearch.cli.parts import Text

if TYPE_CHECKING:
    from fersearch.report.comparison.entries import Comparison
    from fersearch.report.comparison.sweep import Sweep
    from fersearch.report.tables import Table


def comparison(found: "Comparison") -> list[RenderableType]:
    """The studies, their scores and costs, the grid, the tests, and what a reader must know."""
    from fersearch.report.comparison import grid, paired_tests, prose, tables

    pairs, others = paired_tests.tests(found, found.metrics[0])
    shown: list[RenderableType] = [_table(tables.studies(found))]
    for measures in (found.metrics, found.costs):
        shown += ["", _table(tables.results(found, measures))] if measures else []
    cells = grid.grid(found.entries)
    if cells is not None:
        shown += ["", Text(found.metrics[0].label, "bold"), _table(grid.matrix(cells, found.metrics[0]))]
    if pairs:
        shown += ["", _table(tables.tested(pairs, found.metrics[0]))]
    elif others:
        shown += ["", _table(tables.untested(others))]
    shown += ["", *(Text(line) for line in prose.narrative(found, pairs))]
    return [*shown, *(Text(f"! {line}", style="yellow") for line in prose.warnings(found))]


def sweep(found: "Sweep") -> list[RenderableType]:
    """The trials that differ in the factor alone, and all of them by its values."""
    from fersearch.report.comparison import sweep as compare_sweep

    alone = compare_sweep.equal_elsewhere(found)
    shown: list[RenderableType] = []
    if alone:
        shown += [Text("all else equal", "bold"), _table(compare_sweep.equal_table(found, alone, found.metrics))]
        shown += [Text(compare_sweep.settings(alone, found.factor), "dim"), ""]
    return [*shown, Text("all complete trials", "bold"), _table(compare_sweep.table(found, found.metrics))]


def _table(table: "Table") -> RenderableType:
    """A report's table for the screen; marked cells are bold."""
    from fersearch.report.tables import is_number, text

    right = [bool(table.rows) and all(is_number(row[j]) for row in table.rows) for j in range(len(table.columns))]
    titles = [f"{'>' if side else ''}{name}" for name, side in zip(table.columns, right, strict=True)]
    return parts.table(
        titles,
        [
            [Text(text(cell), "bold" if (i, j) in table.marked else "") for j, cell in enumerate(row)]
            for i, row in enumerate(table.rows)
        ],
    )
