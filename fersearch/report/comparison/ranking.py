"""Ranks of several entries over the same rounds or datasets: Friedman's test and Nemenyi's critical difference.

Source: Demsar: Statistical Comparisons of Classifiers over Multiple Data Sets, 2006 (JMLR 7, 1-30).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fersearch.report.comparison import grid
from fersearch.report.comparison.entries import Comparison, Entry, Group, dataset_label
from fersearch.report.comparison.paired_tests import LEVEL, obstacle
from fersearch.report.inputs import Measure
from fersearch.report.prose import plural

FEWEST_ENTRIES = 3
FEWEST_BLOCKS = 3
MANY_BLOCKS, MANY_ENTRIES = 10, 5
"""Above these numbers of blocks and entries, Friedman's statistic is close to its limiting distribution (Demsar
2006)."""


@dataclass(frozen=True)
class Ranks:
    """The ranks of `k` entries over `n` blocks with their tests; 1 is the best rank, ties share their mean.

    `chi2` is Friedman's statistic, corrected for ties, with its p-value, `f` that of Iman and Davenport (1980), which
    is less conservative, and `w` Kendall's coefficient of concordance: 0 where blocks do not agree, 1 where all rank
    alike. Mean ranks that differ by `critical` or more differ significantly (Nemenyi, all pairs, level 0.05).
    """

    n: int
    k: int
    means: tuple[float, ...]
    chi2: float
    p: float
    f: float
    p_f: float
    w: float
    critical: float

    def nemenyi(self, one: int, other: int) -> float:
        """Return the p-value of the difference of two mean ranks, corrected for all pairs."""
        from scipy.stats import studentized_range

        apart = abs(self.means[one] - self.means[other]) / _unit(self.n, self.k)
        return float(studentized_range.sf(apart * math.sqrt(2), self.k, np.inf))

    @property
    def cliques(self) -> list[tuple[int, ...]]:
        """The largest sets of entries of which no two differ significantly, the best first; sets of one are left
        out."""
        order = sorted(range(self.k), key=lambda i: self.means[i])
        reach = [sum(self.means[i] - self.means[first] < self.critical for i in order) for first in order]
        spans = [(start, end) for start, end in enumerate(reach) if end - start > 1]
        maximal = [span for place, span in enumerate(spans) if place == 0 or span[1] > spans[place - 1][1]]
        return [tuple(order[start:end]) for start, end in maximal]


@dataclass(frozen=True)
class Ranking:
    """Entries, or models over datasets, ranked by one metric; `over` says what the blocks are."""

    over: str
    labels: tuple[str, ...]
    ranks: Ranks
    notes: tuple[str, ...] = ()


def ranks_of(values: Sequence[Sequence[float]], is_more_better: bool) -> Ranks:
    """Rank entries in each block.

    Args:
        values: a row for each of at least two blocks, a column for each of at least three entries, all finite.
        is_more_better: the largest value of a block has rank 1.
    """
    from scipy.stats import f as f_distribution
    from scipy.stats import friedmanchisquare, rankdata, studentized_range

    table = np.array([[float(f"{value:.10g}") for value in row] for row in values])  # ties are ties again
    n, k = table.shape
    means = rankdata(-table if is_more_better else table, axis=1).mean(axis=0)
    critical = float(studentized_range.ppf(1 - LEVEL, k, np.inf)) / math.sqrt(2) * _unit(n, k)
    if (table == table[:, :1]).all():
        return Ranks(n, k, tuple(means.tolist()), 0.0, 1.0, 0.0, 1.0, 0.0, critical)
    chi2, p = map(float, friedmanchisquare(*table.T))
    rest = n * (k - 1) - chi2
    f = (n - 1) * chi2 / rest if rest > 1e-9 else math.inf
    p_f = float(f_distribution.sf(f, k - 1, (k - 1) * (n - 1)))
    return Ranks(n, k, tuple(means.tolist()), chi2, p, f, p_f, chi2 / (n * (k - 1)), critical)


def rankings(comparison: Comparison, measure: Measure) -> tuple[list[Ranking], list[str]]:
    """Return the rankings by a metric, of entries over rounds and models over datasets; and why others are
    impossible."""
    ranked: list[Ranking] = []
    lines: list[str] = []
    for group in comparison.groups:
        ranking = _over_rounds(group, comparison, measure)
        ranked, lines = (ranked, [*lines, ranking]) if isinstance(ranking, str) else ([*ranked, ranking], lines)
    ranking = _over_datasets(comparison, measure)
    if isinstance(ranking, Ranking):
        ranked.append(ranking)
    elif ranking:
        lines.append(ranking)
    return ranked, list(dict.fromkeys(lines))


def _over_rounds(group: Group, comparison: Comparison, measure: Measure) -> Ranking | str:
    where = dataset_label(group[0], comparison.entries)
    paired = _paired(group, comparison.entries)
    if len(paired) < FEWEST_ENTRIES:
        return f"{where}: {len(paired)} of the entries have paired rounds; {FEWEST_ENTRIES} are needed"
    shared = sorted(set.intersection(*(_valued(entry, measure) for entry in paired)))
    if len(shared) < FEWEST_BLOCKS:
        return f"{where}: {plural(len(shared), 'round')} in common; {FEWEST_BLOCKS} are needed"
    values = [[entry.rounds[number][measure.name] for entry in paired] for number in shared]
    ranks = ranks_of(values, measure.direction == "max")
    notes = [_rough(ranks)]
    if paired[0].spec.protocol.folded:
        notes.append("Folds share most of their training images, and the test assumes that they are independent.")
    else:
        notes.append("Repeats share one split: the ranks cover the randomness of training, but not other images.")
    return Ranking(f"rounds of {where}", tuple(one.label for one in paired), ranks, tuple(filter(None, notes)))


def _over_datasets(comparison: Comparison, measure: Measure) -> Ranking | str:
    cells = grid.grid(comparison.entries)
    if cells is None or len(cells.datasets) < FEWEST_BLOCKS:
        return "" if cells is None else f"{plural(len(cells.datasets), 'dataset')}; {FEWEST_BLOCKS} are needed"
    models = [model for model in cells.models if math.isfinite(cells.average(model, measure.name))]
    if len(models) < FEWEST_ENTRIES:
        return f"{plural(len(models), 'model')} with a value on every dataset; {FEWEST_ENTRIES} are needed"
    together = {id(entry): place for place, group in enumerate(comparison.groups) for entry in group}
    for dataset in cells.datasets:
        if len({together[id(cells.cells[model, dataset])] for model in models}) > 1:
            return f"{dataset}: the models were evaluated on different images"
    columns = [cells.values(model, measure.name) for model in models]
    ranks = ranks_of(list(zip(*columns, strict=True)), measure.direction == "max")
    return Ranking("datasets", tuple(models), ranks, tuple(filter(None, [_rough(ranks)])))


def _paired(group: Group, entries: Sequence[Entry]) -> Group:
    """Return the entries of a group whose rounds are blocks: each is paired with the rounds of the others."""
    paired: Group = []
    for entry in group:
        if entry.spec.protocol.in_rounds and not any(obstacle(one, entry, entries) for one in paired):
            paired.append(entry)
    return paired


def _valued(entry: Entry, measure: Measure) -> set[int]:
    return {number for number, own in entry.rounds.items() if math.isfinite(own.get(measure.name, math.nan))}


def _rough(ranks: Ranks) -> str:
    if ranks.n > MANY_BLOCKS and ranks.k > MANY_ENTRIES:
        return ""
    return (
        f"With n = {ranks.n} and k = {ranks.k} the p-values are approximate: the limiting distribution needs "
        f"more than {MANY_BLOCKS} blocks and {MANY_ENTRIES} entries."
    )


def _unit(n: int, k: int) -> float:
    """Return the standard error of a difference of mean ranks."""
    return math.sqrt(k * (k + 1) / (6 * n))
