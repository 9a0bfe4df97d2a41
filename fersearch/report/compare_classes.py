"""Scores of each class over several models, and what each class is mostly called."""

from collections.abc import Sequence

from fersearch.report import derive
from fersearch.report.compare import Comparison, Entry
from fersearch.report.tables import Cell, Table


def by_classes(comparison: Comparison) -> list[tuple[list[str], list[Entry]]]:
    """The entries that have a confusion matrix, together where their classes are the same."""
    found: dict[tuple[str, ...], list[Entry]] = {}
    for entry in comparison.entries:
        if matrix := summed(entry):
            found.setdefault(tuple(entry.class_names(len(matrix))), []).append(entry)
    return [(list(names), entries) for names, entries in found.items()]


def summed(entry: Entry) -> derive.Matrix | None:
    """The confusion matrix of an entry, summed over the kept epochs of its rounds."""
    return derive.confusion(entry.history, entry.spec.objectives[0])


def mostly_called(matrix: Sequence[Sequence[int]]) -> list[int | None]:
    """What most images of each class are called; None for a class without images, the first of equals."""
    return [max(range(len(row)), key=lambda j: (row[j], -j)) if sum(row) else None for row in matrix]


def detection_rate(matrix: Sequence[Sequence[int]]) -> float:
    """The share of classes, of those with images, of which most images are called right (document 002)."""
    called = [(i, j) for i, j in enumerate(mostly_called(matrix)) if j is not None]
    return sum(i == j for i, j in called) / len(called) if called else float("nan")


def recalls(matrix: Sequence[Sequence[int]]) -> list[float]:
    """The share of each class that is called right; NaN for a class without images."""
    return [share[i] for i, share in enumerate(derive.row_shares(matrix))]


def table(names: Sequence[str], entries: Sequence[Entry], place: int = 1) -> Table:
    """Classes by row, two columns an entry: recall, and what most of the class is called; right ones in bold."""
    columns, found = ["Class"], [[name] for name in (*names, "Accuracy", "Emotion detection rate")]
    cells: list[list[Cell]] = [list(row) for row in found]
    marked: set[tuple[int, int]] = set()
    for entry in entries:
        matrix = summed(entry) or []
        columns += [f"{entry.label}: recall", f"{entry.label}: called"]
        for i, (share, called) in enumerate(zip(recalls(matrix), mostly_called(matrix), strict=True)):
            cells[i] += [share, None if called is None else names[called]]
            if called == i:
                marked.add((i, len(columns) - 1))
        right = sum(row[i] for i, row in enumerate(matrix)) / sum(map(sum, matrix))
        cells[-2] += [right, None]
        cells[-1] += [detection_rate(matrix), None]
    caption = (
        "Recall of each class on validation, and what most of its images are called (in bold where that is right)."
    )
    return Table("classes" if place == 1 else f"classes-{place}", caption, columns, cells, frozenset(marked))
