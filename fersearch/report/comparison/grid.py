"""Studies that form a grid of models and datasets."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from fersearch.report.comparison.entries import Entry, dataset_label, model_label
from fersearch.report.comparison.prose import sentence
from fersearch.report.inputs import Measure
from fersearch.report.tables import Cell, Table, text

Cells = dict[tuple[str, str], Entry]
TIMES = ("train_seconds", "eval_seconds")


@dataclass(frozen=True)
class Grid:
    """At most one entry for each model and dataset."""

    models: tuple[str, ...]
    datasets: tuple[str, ...]
    cells: Cells

    @property
    def whole(self) -> bool:
        """Whether every cell has an entry."""
        return len(self.cells) == len(self.models) * len(self.datasets)

    def values(self, model: str, metric: str) -> list[float]:
        """Return a model's values over the datasets, NaN where there is none."""
        entries = [self.cells.get((model, dataset)) for dataset in self.datasets]
        return [math.nan if entry is None else entry.value(metric) for entry in entries]

    def stds(self, model: str, metric: str) -> list[float]:
        """Return a model's deviations over rounds on the datasets, NaN where there is none."""
        entries = [self.cells.get((model, dataset)) for dataset in self.datasets]
        return [math.nan if entry is None else entry.std(metric) for entry in entries]

    def average(self, model: str, metric: str) -> float:
        """Return a model's mean over all datasets; NaN unless it has a value on each of them."""
        values = self.values(model, metric)
        return math.nan if any(map(math.isnan, values)) else statistics.fmean(values)


def grid(entries: Sequence[Entry]) -> Grid | None:
    """Return the grid that entries form, of at least two models and two datasets; None if they form none.

    Models and datasets are those of the studies; where two studies share both, the last two parts of the studies'
    names (`NAME/MODEL/DATASET`) are tried.
    """
    labels = [(model_label(entry, entries), dataset_label(entry, entries)) for entry in entries]
    return _grid(labels, entries) or _grid([_parts(entry) for entry in entries], entries)


def matrix(cells: Grid, measure: Measure) -> Table:
    """Return one metric: models by row, datasets by column, then the average; the best of each column in bold."""
    columns = [cells.values(model, measure.name) for model in cells.models]
    averages = [cells.average(model, measure.name) for model in cells.models]
    figures = [[*values, average] for values, average in zip(columns, averages, strict=True)]
    rows: list[list[Cell]] = [
        [
            model,
            *(_cell(cells, model, dataset, measure.name) for dataset in cells.datasets),
            None if math.isnan(average) else average,
        ]
        for model, average in zip(cells.models, averages, strict=True)
    ]
    marked = frozenset(
        (best, j + 1) for j in range(len(figures[0])) if (best := _best(figures, j, measure)) is not None
    )
    caption = f"{sentence(measure.label)} of each model on each dataset, and the average over the datasets."
    return Table(f"grid-{measure.name}", caption, ["Model", *cells.datasets, "Average"], rows, marked)


def scores(cells: Grid, measures: Sequence[Measure]) -> Table:
    """Return a table with all scores of an entry in one cell, as a paper shows it."""
    rows: list[list[Cell]] = [
        [model, *(_scores(cells.cells.get((model, dataset)), measures) for dataset in cells.datasets)]
        for model in cells.models
    ]
    names = " / ".join(measure.label for measure in measures)
    caption = f"{sentence(names)} of each model on each dataset."
    return Table("grid-scores", caption, ["Model", *cells.datasets], rows)


def times(cells: Grid) -> Table:
    """Return a table of training seconds, with those of evaluation in brackets."""
    rows: list[list[Cell]] = []
    for model in cells.models:
        seconds = [_time(cells.cells.get((model, dataset))) for dataset in cells.datasets]
        rows.append([model, *seconds, _average_time(cells, model)])
    caption = (
        "Training time in seconds, mean ± standard deviation over rounds (in brackets: one evaluation of validation)."
    )
    return Table("grid-times", caption, ["Model", *cells.datasets, "Average"], rows)


def _scores(entry: Entry | None, measures: Sequence[Measure]) -> Cell:
    if entry is None:
        return None
    values = [entry.value(measure.name) for measure in measures]
    return " / ".join("-" if math.isnan(value) else f"{value:.3f}" for value in values)


def _time(entry: Entry | None) -> Cell:
    if entry is None or math.isnan(entry.value("train_seconds")):
        return None
    train, judge = entry.cell("train_seconds"), entry.cell("eval_seconds")
    return text(train) if judge is None else f"{text(train)} ({text(judge)})"


def _average_time(cells: Grid, model: str) -> Cell:
    train, judge = (cells.average(model, name) for name in TIMES)
    if math.isnan(train):
        return None
    return text(train) if math.isnan(judge) else f"{text(train)} ({text(judge)})"


def _cell(cells: Grid, model: str, dataset: str, metric: str) -> Cell:
    entry = cells.cells.get((model, dataset))
    return None if entry is None else entry.cell(metric)


def _best(figures: Sequence[Sequence[float]], column: int, measure: Measure) -> int | None:
    defined = [(row[column], i) for i, row in enumerate(figures) if math.isfinite(row[column])]
    if len(defined) < 2:
        return None
    sign = -1 if measure.direction == "max" else 1
    return min(defined, key=lambda pair: (sign * pair[0], pair[1]))[1]


def _grid(labels: Sequence[tuple[str, str] | None], entries: Sequence[Entry]) -> Grid | None:
    places = [place for place in labels if place is not None]
    if len(places) < len(entries) or len(set(places)) < len(places):
        return None
    models = tuple(dict.fromkeys(model for model, _ in places))
    datasets = tuple(dict.fromkeys(dataset for _, dataset in places))
    if len(models) < 2 or len(datasets) < 2:
        return None
    return Grid(models, datasets, dict(zip(places, entries, strict=True)))


def _parts(entry: Entry) -> tuple[str, str] | None:
    parts = entry.label.split("/")
    return (parts[-2], parts[-1]) if len(parts) > 2 else None
