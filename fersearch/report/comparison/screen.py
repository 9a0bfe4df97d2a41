"""Comparisons and sweeps as lines and grids, for whoever draws them."""

from fersearch.report.comparison import grid, paired_tests, prose, ranking, ranking_tables, sweep, tables
from fersearch.report.comparison.entries import Comparison
from fersearch.report.comparison.sweep import Sweep
from fersearch.report.shown import Grid, Line


def comparison(found: Comparison) -> list[Grid | Line]:
    """Return the studies, their scores and costs, the grid, the tests, and what a reader must know."""
    pairs, others = paired_tests.tests(found, found.metrics[0])
    shown: list[Grid | Line] = [Grid.of(tables.studies(found))]
    for measures in (found.metrics, found.costs):
        shown += [Line(), Grid.of(tables.results(found, measures))] if measures else []
    cells = grid.grid(found.entries)
    if cells is not None:
        matrix = Grid.of(grid.matrix(cells, found.metrics[0]))
        shown += [Line(), Line(found.metrics[0].label, "heading"), matrix]
    if pairs:
        shown += [Line(), Grid.of(tables.tested(pairs, found.metrics[0]))]
    elif others:
        shown += [Line(), Grid.of(tables.untested(others))]
    shown += _ranks(found)
    shown += [Line(), *(Line(line) for line in prose.narrative(found, pairs))]
    return [*shown, *(Line(f"! {line}", "warning") for line in prose.warnings(found))]


def _ranks(found: Comparison) -> list[Grid | Line]:
    """Return the mean ranks by the first metric with Friedman's test, where it is defined."""
    lead, shown = found.metrics[0], list[Grid | Line]()
    for one in ranking.rankings(found, lead)[0]:
        shown += [Line(), Grid.of(ranking_tables.table(one, lead))]
        shown += [
            Line(line, "plain" if place == 0 else "aside")
            for place, line in enumerate(ranking_tables.sentences(one, lead))
        ]
    return shown


def factor(found: Sweep) -> list[Grid | Line]:
    """Return the trials that differ in the factor alone, and all of them by its values."""
    alone = sweep.equal_elsewhere(found)
    shown: list[Grid | Line] = []
    if alone:
        shown += [Line("all else equal", "heading"), Grid.of(sweep.equal_table(found, alone, found.metrics))]
        shown += [Line(sweep.settings(alone, found.factor), "aside"), Line()]
    return [*shown, Line("all complete trials", "heading"), Grid.of(sweep.table(found, found.metrics))]
