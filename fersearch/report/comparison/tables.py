"""The tables of a comparison: scores by model, by dataset and by class."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from fersearch.report import derive, study_tables
from fersearch.report.comparison.entries import Comparison, Entry, best_of, dataset_label, model_label
from fersearch.report.comparison.paired_tests import LEVEL, Test, Untested
from fersearch.report.comparison.prose import equal_costs, protocol, sentence, validation_images
from fersearch.report.inputs import Measure
from fersearch.report.tables import Cell, Table

EXAMPLES = 3


def studies(comparison: Comparison) -> Table:
    """Return the entries: study, trial, model, dataset, classes, images and protocol."""
    columns = ["Study", "Trial", "Model", "Dataset", "Classes", "n valid", "Rounds", "Protocol"]
    rows: list[list[Cell]] = [
        [
            entry.record.spec.name,
            entry.trial.number,
            model_label(entry, comparison.entries),
            dataset_label(entry, comparison.entries),
            entry.num_classes,
            validation_images(entry),
            len(entry.rounds),
            protocol(entry),
        ]
        for entry in comparison.entries
    ]
    return Table("studies", "The entries; n valid: validation images per round.", columns, rows)


def results(comparison: Comparison, measures: Sequence[Measure], name: str = "results") -> Table:
    """Return some metrics of each entry; the best among comparable entries in bold."""
    rows: list[list[Cell]] = [
        [entry.label, *(entry.cell(measure.name) for measure in measures)] for entry in comparison.entries
    ]
    place = {id(entry): i for i, entry in enumerate(comparison.entries)}
    marked = {
        (place[id(ranked[0])], j)
        for j, measure in enumerate(measures, start=1)
        for group in comparison.groups
        if len(ranked := best_of(group, measure)) > 1
    }
    caption = (
        "Values on validation, mean ± standard deviation over rounds (n - 1); time and memory are per round. "
        "The best among entries evaluated on the same images in bold."
    )
    columns = ["Study", *(measure.heading for measure in measures)]
    return Table(name, caption, columns, rows, frozenset(marked))


def winners(comparison: Comparison, tests: Mapping[str, Sequence[Test]]) -> Table:
    """Return for each comparable group and metric the best entry, the next, and whether the difference is meaningful.

    `tests` holds the paired tests by metric.
    """
    rows: list[list[Cell]] = []
    for group in (group for group in comparison.groups if len(group) > 1):
        where = dataset_label(group[0], comparison.entries)
        for measure in comparison.all_metrics:
            ranked = best_of(group, measure)
            if len(ranked) > 1:
                best, second = ranked[:2]
                cells = [entry.cell(measure.name) for entry in (best, second)]
                verdict = _verdict(measure, best, second, tests.get(measure.name))
                rows.append([where, measure.heading, best.label, cells[0], second.label, cells[1], verdict])
    columns = ["Dataset", "Metric", "Best", "Value", "Next", "Value", "Difference"]
    return Table("winners", "The best entry by each metric, among those evaluated on the same images.", columns, rows)


def tested(tests: Sequence[Test], measure: Measure) -> Table:
    """Return the paired tests of one metric."""
    rows: list[list[Cell]] = [
        [
            test.a.label,
            test.b.label,
            test.result.n,
            test.result.difference,
            f"{test.result.low:+.4f} to {test.result.high:+.4f}",
            *(_p(value) for value in (test.result.wilcoxon, test.result.t, test.result.corrected, test.holm)),
            *(None if math.isnan(size) else f"{size:+.2f}" for size in (test.result.d, test.result.r)),
            "; ".join(test.result.notes) or None,
        ]
        for test in tests
    ]
    marked = frozenset((i, 8) for i, test in enumerate(tests) if test.holm < LEVEL)
    columns = ["A", "B", "Rounds", "Mean A - B", "95 % interval", "p Wilcoxon", "p paired t", "p corrected t", "p Holm"]
    caption = (
        f"Paired tests of {measure.label} over the same rounds; Holm's correction over these pairs. Sizes of the "
        "effect: d, the mean difference in deviations of the differences, and r, the rank-biserial correlation."
    )
    return Table(f"tests-{measure.name}", caption, [*columns, "d", "r", "Note"], rows, marked)


def untested(pairs: Sequence[Untested]) -> Table:
    """Return the reasons why pairs could not be tested, each with its pairs."""
    reasons = Counter(pair.why for pair in pairs)
    rows: list[list[Cell]] = []
    for why, count in reasons.most_common():
        named = [f"{pair.a.label} and {pair.b.label}" for pair in pairs if pair.why == why][:EXAMPLES]
        rows.append([why, count, "; ".join(named) + ("; ..." if count > EXAMPLES else "")])
    return Table("untested", "Pairs to which no paired test applies.", ["Reason", "Pairs", "Studies"], rows)


def rounds(comparison: Comparison, measure: Measure) -> Table:
    """Return the value of each round, rounds by row."""
    numbers = sorted({number for entry in comparison.entries for number in entry.rounds})
    rows: list[list[Cell]] = [
        [number, *(_finite(entry.rounds.get(number, {}).get(measure.name)) for entry in comparison.entries)]
        for number in numbers
    ]
    columns = ["Round", *(entry.label for entry in comparison.entries)]
    return Table(f"rounds-{measure.name}", f"{sentence(measure.label)} of each round.", columns, rows)


def runs(comparison: Comparison) -> Table:
    """Return every trial of every study in one table, with the columns of the FER+ report."""
    records = {entry.record.spec.name: entry.record for entry in comparison.entries}
    tables = {name: study_tables.trials(record) for name, record in records.items()}
    columns = list(dict.fromkeys(column for table in tables.values() for column in table.columns))
    rows: list[list[Cell]] = []
    for name, table in tables.items():
        spec = records[name].spec
        for row in table.rows:
            cells = dict(zip(table.columns, row, strict=True))
            rows.append([name, spec.architecture, spec.dataset, *(cells.get(column) for column in columns)])
    return Table("trials", "All trials of these studies.", ["Study", "Model", "Dataset", *columns], rows)


def _verdict(measure: Measure, best: Entry, second: Entry, tests: Sequence[Test] | None) -> str | None:
    if best.value(measure.name) == second.value(measure.name):
        return "equal"
    if equal_costs(measure, best.value(measure.name), second.value(measure.name)):
        return "within 5 %, negligible"
    if tests is None:
        return None
    pair = {id(best), id(second)}
    test = next((test for test in tests if {id(test.a), id(test.b)} == pair), None)
    if test is None or math.isnan(test.holm):
        return "cannot be tested"
    return f"{'significant' if test.holm < LEVEL else 'not significant'}, p = {_p(test.holm)}"


def _p(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def by_classes(comparison: Comparison) -> list[tuple[list[str], list[Entry]]]:
    """Return the entries that have a confusion matrix, grouped by their classes."""
    entries_of: dict[tuple[str, ...], list[Entry]] = {}
    for entry in comparison.entries:
        if matrix := summed(entry):
            entries_of.setdefault(tuple(entry.class_names(len(matrix))), []).append(entry)
    return [(list(names), entries) for names, entries in entries_of.items()]


def summed(entry: Entry) -> derive.Matrix | None:
    """Return the confusion matrix of an entry, summed over the kept epochs of its rounds."""
    return derive.confusion(entry.history, entry.spec.objectives[0])


def mostly_called(matrix: Sequence[Sequence[int]]) -> list[int | None]:
    """Return the most frequent prediction for each class; None for a class without images, the first of equals."""
    return [max(range(len(row)), key=lambda j: (row[j], -j)) if sum(row) else None for row in matrix]


def detection_rate(matrix: Sequence[Sequence[int]]) -> float:
    """Return the share of the classes with images whose most frequent prediction is correct."""
    called = [(i, j) for i, j in enumerate(mostly_called(matrix)) if j is not None]
    return sum(i == j for i, j in called) / len(called) if called else float("nan")


def recalls(matrix: Sequence[Sequence[int]]) -> list[float]:
    """Return the recall of each class; NaN for a class without images."""
    return [share[i] for i, share in enumerate(derive.row_shares(matrix))]


def table(names: Sequence[str], entries: Sequence[Entry], place: int = 1) -> Table:
    """Return classes by row, two columns an entry: recall and the most frequent prediction; correct ones in bold."""
    columns, labels = ["Class"], [[name] for name in (*names, "Accuracy", "Emotion detection rate")]
    cells: list[list[Cell]] = [list(row) for row in labels]
    marked: set[tuple[int, int]] = set()
    for entry in entries:
        matrix = summed(entry) or []
        columns += [f"{entry.label}: recall", f"{entry.label}: predicted"]
        for i, (share, called) in enumerate(zip(recalls(matrix), mostly_called(matrix), strict=True)):
            cells[i] += [share, None if called is None else names[called]]
            if called == i:
                marked.add((i, len(columns) - 1))
        right = sum(row[i] for i, row in enumerate(matrix)) / sum(map(sum, matrix))
        cells[-2] += [right, None]
        cells[-1] += [detection_rate(matrix), None]
    caption = "Recall of each class on validation, and its most frequent prediction (in bold where that is correct)."
    return Table("classes" if place == 1 else f"classes-{place}", caption, columns, cells, frozenset(marked))
