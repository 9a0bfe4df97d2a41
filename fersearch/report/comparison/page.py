"""The page of a comparison: its sections and their order."""

import math
from collections.abc import Mapping, Sequence

from fersearch.report.comparison import grid, prose, ranking_parts, tables
from fersearch.report.comparison.entries import Comparison, Entry, best_of
from fersearch.report.comparison.grid import Grid
from fersearch.report.comparison.paired_tests import LEVEL, Test, Untested, tests
from fersearch.report.comparison.prose import sentence
from fersearch.report.comparison.ranking import rankings
from fersearch.report.inputs import Measure
from fersearch.report.parts import Fold, Missing, Page, Part, Plot, Row, Section, Tabular, Text
from fersearch.report.plots.bars import Interval, bars, intervals
from fersearch.report.plots.bars import rounds as draw_rounds
from fersearch.report.prose import plural
from fersearch.report.tables import number

DRAWN = 12
"""Maximum number of entries that are drawn side by side."""
MEANINGFUL = 6
"""Number of rounds that Wilcoxon's test needs for a p-value below 0.05."""
TestsByMetric = Mapping[str, Sequence[Test]]


def comparison(comparison: Comparison) -> Page:
    """Return the whole page. Call it inside `plots.style.styled()`."""
    lead = comparison.metrics[0]
    everything = {measure.name: tests(comparison, measure) for measure in comparison.metrics}
    tests_by_metric = {name: pairs for name, (pairs, _) in everything.items()}
    pairs, others = everything[lead.name]
    cells = grid.grid(comparison.entries)
    sections = [
        _summary(comparison, tests_by_metric, cells),
        _scores(comparison, cells),
        _costs(comparison, cells),
        _tests(comparison, tests_by_metric, others),
        ranking_parts.section(*rankings(comparison, lead), lead),
        _classes(comparison),
        Section("trials", "All trials", [Fold("Every trial of these studies", [Tabular(tables.runs(comparison))])]),
    ]
    names = dict.fromkeys(entry.record.spec.name for entry in comparison.entries)
    return Page(
        title="Comparison of " + (", ".join(names) if len(names) < 4 else f"{len(names)} studies"),
        subtitle=f"Studies side by side, by {lead.label}",
        sections=sections,
        tiles=_tiles(comparison, pairs),
        footer=f"Written by fersearch {comparison.version} on {comparison.written:%Y-%m-%d %H:%M} UTC.",
    )


def _tiles(comparison: Comparison, pairs: Sequence[Test]) -> list[tuple[str, str]]:
    lead = comparison.metrics[0]
    best = best_of(comparison.entries, lead)
    tiles = [(f"best {lead.label}: {best[0].label}", number(best[0].value(lead.name)))] if best else []
    if len(comparison.groups) > 1:
        tiles = []
    different = sum(test.holm < LEVEL for test in pairs)
    return [
        *tiles,
        ("compared", f"{len(comparison.entries)}"),
        (f"of {plural(len(pairs), 'pair')} differ significantly", f"{different}"),
    ]


def _summary(comparison: Comparison, tests_by_metric: TestsByMetric, cells: Grid | None) -> Section:
    lines = prose.narrative(comparison, tests_by_metric[comparison.metrics[0].name])
    if cells is not None:
        measures = [comparison.measure(name) for name in prose.NARRATED]
        averages = [(m, [cells.average(model, m.name) for model in cells.models]) for m in measures]
        lines += [line for line in [prose.average_narrative(cells.models, averages)] if line]
    parts: list[Part] = [Text(line) for line in lines]
    parts += [Missing(line) for line in prose.warnings(comparison)]
    parts.append(Tabular(tables.studies(comparison)))
    winners = tables.winners(comparison, tests_by_metric)
    return Section("summary", "Summary", [*parts, *([Tabular(winners)] if winners.rows else [])])


def _scores(comparison: Comparison, cells: Grid | None) -> Section:
    parts: list[Part] = [Tabular(tables.results(comparison, comparison.metrics))]
    if cells is None:
        return Section("scores", "Scores", [*parts, *_flat_scores(comparison)])
    if not cells.whole:
        parts.append(
            Missing("Some cells of the grid have no study; averages include only the datasets that all models share.")
        )
    parts.append(Tabular(grid.scores(cells, comparison.metrics)))
    for place, measure in enumerate(comparison.metrics):
        shown: list[Part] = [_grid_bars(cells, measure), Tabular(grid.matrix(cells, measure))]
        parts += shown if place == 0 else [Fold(sentence(measure.label), shown)]
    return Section("scores", "Scores", [*parts, *_averages(cells, comparison.metrics)])


def _costs(comparison: Comparison, cells: Grid | None) -> Section:
    name = "Time and memory"
    if not comparison.costs:
        return Section("costs", name, [Missing("No study recorded them.")])
    about = (
        "Training time is the seconds of a round's epochs, without start-up and validation; evaluation is one pass "
        "over validation. Memory is the device's during training, or on a CPU the private memory above that before "
        "the model was built. Times measured on different machines, or next to other work, are hardly comparable."
    )
    parts: list[Part] = [Text(about), Tabular(tables.results(comparison, comparison.costs, "costs"))]
    measures = [measure for measure in comparison.costs if measure.name != "parameters"]
    if cells is None:
        return Section("costs", name, [*parts, *_in_twos([_bars_of(comparison, measure) for measure in measures])])
    drawn = [_grid_bars(cells, measure) for measure in measures]
    matrices = [Tabular(grid.matrix(cells, measure)) for measure in measures]
    parts += [Tabular(grid.times(cells)), *_in_twos(drawn), Fold("As tables", matrices)]
    return Section("costs", name, parts)


def _in_twos(plots: Sequence[Plot]) -> list[Row]:
    return [Row(plots[place : place + 2]) for place in range(0, len(plots), 2)]


def _tests(comparison: Comparison, tests_by_metric: TestsByMetric, others: Sequence[Untested]) -> Section:
    name, lead = "Paired tests", comparison.metrics[0]
    pairs = tests_by_metric[lead.name]
    parts: list[Part] = [Text(line) for line in _about_tests(comparison)] if pairs else []
    if pairs:
        caption = f"Mean differences in {lead.label} with 95 % intervals; red: significant after Holm's correction."
        shown = sorted(pairs, key=lambda test: -abs(test.result.difference))[: 3 * DRAWN]
        figure = intervals([_interval(test) for test in shown], f"difference in {lead.label}")
        parts += [Plot("differences", caption, figure), Tabular(tables.tested(pairs, lead)), *_rounds(comparison)]
        more = [
            (measure, tests_by_metric[measure.name])
            for measure in comparison.metrics[1:]
            if tests_by_metric[measure.name]
        ]
        parts += [Fold(sentence(m.label), [Tabular(tables.tested(tested, m))]) for m, tested in more]
    else:
        parts.append(Missing("No two entries can be compared by a paired test; the reasons are below."))
    if others:
        table = Tabular(tables.untested(others))
        parts.append(Fold("Pairs that cannot be tested", [table]) if pairs else table)
    if len(comparison.entries) < 2:
        parts = [Missing("There is only one entry, so there is nothing to compare it with.")]
    return Section("tests", name, parts)


def _about_tests(comparison: Comparison) -> list[str]:
    lines = [
        "Rounds of two studies are paired where both trained and validated on the same images: same dataset, split and "
        "seed. Wilcoxon's signed-rank test and the paired t-test assume that rounds are independent.",
    ]
    if any(entry.spec.protocol.folded for entry in comparison.entries):
        lines.append(
            "Folds share most of their training images, so these two tests report differences too often; the corrected "
            "resampled t-test of Nadeau & Bengio (2003) widens the variance by n valid / n train. Intervals and "
            "Holm's p-values are of the corrected test."
        )
    if any(entry.spec.protocol.in_rounds and not entry.spec.protocol.folded for entry in comparison.entries):
        lines.append(
            "Repeats share one split: their tests cover the randomness of training, but not other images. "
            "Intervals and Holm's p-values are of the paired t-test."
        )
    if any(len(entry.rounds) < MEANINGFUL for entry in comparison.entries):
        lines.append(
            f"With n differences Wilcoxon's p is at least 2^(1-n): below n = {MEANINGFUL} it cannot reach {LEVEL:g}."
        )
    return lines


def _rounds(comparison: Comparison) -> list[Part]:
    lead = comparison.metrics[0]
    parts: list[Part] = []
    for place, group in enumerate((group for group in comparison.groups if len(group) > 1), start=1):
        drawn = [entry for entry in group if len(entry.rounds) > 1][:DRAWN]
        if len(drawn) < 2:
            continue
        values = [[entry.rounds[n].get(lead.name, math.nan) for n in sorted(entry.rounds)] for entry in drawn]
        figure = draw_rounds([entry.label for entry in drawn], values, lead.heading)
        caption = f"{sentence(lead.label)} of each round; grey lines join values of the same round, bars are means."
        parts.append(Plot("rounds" if place == 1 else f"rounds-{place}", caption, figure))
    return [*parts, Fold("Values of each round", [Tabular(tables.rounds(comparison, lead))])]


def _classes(comparison: Comparison) -> Section:
    parts: list[Part] = []
    for place, (names, entries) in enumerate(tables.by_classes(comparison), start=1):
        parts.append(Tabular(tables.table(names, entries, place)))
        if 1 < len(entries) <= DRAWN // 2:
            series = {entry.label: tables.recalls(tables.summed(entry) or []) for entry in entries}
            label = "class-recall" if place == 1 else f"class-recall-{place}"
            parts.append(Plot(label, "Recall of each class.", bars(names, series, "recall", figures=False)))
    if not parts:
        parts.append(Missing("No confusion matrix was recorded."))
    return Section("classes", "Classes", parts)


def _flat_scores(comparison: Comparison) -> list[Part]:
    shown = list(comparison.entries)[:DRAWN]
    labels = [entry.label for entry in shown]
    scores = [measure for measure in comparison.metrics if measure.direction == "max"] or list(comparison.metrics[:1])
    series = {measure.label: [entry.value(measure.name) for entry in shown] for measure in scores}
    errors = {measure.label: [entry.std(measure.name) for entry in shown] for measure in scores}
    caption = "Scores on validation; whiskers are standard deviations over rounds." + _cut(comparison.entries)
    return [Plot("scores", caption, bars(labels, series, "score", errors=errors))]


def _bars_of(comparison: Comparison, measure: Measure) -> Plot:
    shown = list(comparison.entries)[:DRAWN]
    values = {measure.label: [entry.value(measure.name) for entry in shown]}
    errors = {measure.label: [entry.std(measure.name) for entry in shown]}
    figure = bars([entry.label for entry in shown], values, measure.heading, errors=errors)
    return Plot(measure.name, f"{sentence(measure.label)} of each study." + _cut(comparison.entries), figure)


def _grid_bars(cells: Grid, measure: Measure) -> Plot:
    values = {model: cells.values(model, measure.name) for model in cells.models}
    errors = {model: cells.stds(model, measure.name) for model in cells.models}
    known = [value for own in values.values() for value in own if math.isfinite(value) and value > 0]
    log = measure.log and len(known) > 1 and max(known) > 30 * min(known)
    figure = bars(cells.datasets, values, measure.heading, errors=errors, log=log)
    caption = f"{sentence(measure.label)} of each model on each dataset; whiskers are standard deviations over rounds."
    return Plot(f"grid-{measure.name}", caption, figure)


def _averages(cells: Grid, measures: Sequence[Measure]) -> list[Part]:
    scores = [measure for measure in measures if measure.direction == "max"]
    series = {m.label: [cells.average(model, m.name) for model in cells.models] for m in scores}
    if not any(math.isfinite(value) for values in series.values() for value in values):
        return []
    caption = "Scores of each model, averaged over the datasets."
    return [Plot("averages", caption, bars(cells.models, series, "average score"))]


def _interval(test: Test) -> Interval:
    result = test.result
    return f"{test.a.label} - {test.b.label}", result.difference, result.low, result.high, test.holm < LEVEL


def _cut(entries: Sequence[Entry]) -> str:
    return f" The first {DRAWN} of {len(entries)} are drawn." if len(entries) > DRAWN else ""
