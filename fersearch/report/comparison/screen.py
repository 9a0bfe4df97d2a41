"""Comparisons and sweeps as lines and grids of text."""

from fersearch.report.comparison import grid, paired_tests, prose, ranking, ranking_tables, sweep, tables
from fersearch.report.comparison.entries import Comparison
from fersearch.report.comparison.sweep import Sweep
from fersearch.report.shown import Grid, Line


def comparison(comparison: Comparison) -> list[Grid | Line]:
    """Return the studies, their scores and costs, the grid, the tests, and warnings."""
    pairs, others = paired_tests.tests(comparison, comparison.metrics[0])
    shown: list[Grid | Line] = [Grid.of(tables.studies(comparison))]
    for measures in (comparison.metrics, comparison.costs):
        shown += [Line(), Grid.of(tables.results(comparison, measures))] if measures else []
    cells = grid.grid(comparison.entries)
    if cells is not None:
        matrix = Grid.of(grid.matrix(cells, comparison.metrics[0]))
        shown += [Line(), Line(comparison.metrics[0].label, "heading"), matrix]
    if pairs:
        shown += [Line(), Grid.of(tables.tested(pairs, comparison.metrics[0]))]
    elif others:
        shown += [Line(), Grid.of(tables.untested(others))]
    shown += _ranks(comparison)
    shown += [Line(), *(Line(line) for line in prose.narrative(comparison, pairs))]
    return [*shown, *(Line(f"! {line}", "warning") for line in prose.warnings(comparison))]


def _ranks(comparison: Comparison) -> list[Grid | Line]:
    """Return the mean ranks by the first metric with Friedman's test, where it is defined."""
    lead, shown = comparison.metrics[0], list[Grid | Line]()
    for one in ranking.rankings(comparison, lead)[0]:
        shown += [Line(), Grid.of(ranking_tables.table(one, lead))]
        shown += [
            Line(line, "plain" if place == 0 else "aside")
            for place, line in enumerate(ranking_tables.sentences(one, lead))
        ]
    return shown


def factor(result: Sweep) -> list[Grid | Line]:
    """Return the trials that differ only in the factor, and all trials by its values."""
    alone = sweep.equal_elsewhere(result)
    shown: list[Grid | Line] = []
    if alone:
        shown += [Line("all else equal", "heading"), Grid.of(sweep.equal_table(result, alone, result.metrics))]
        shown += [Line(sweep.settings(alone, result.factor), "aside"), Line()]
    return [*shown, Line("all complete trials", "heading"), Grid.of(sweep.table(result, result.metrics))]
