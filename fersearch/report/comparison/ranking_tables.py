"""Sentences and tables about the ranks of a comparison."""

import math

from fersearch.report.comparison.paired_tests import LEVEL
from fersearch.report.comparison.ranking import Ranking
from fersearch.report.inputs import Measure
from fersearch.report.tables import Cell, Table


def sentences(one: Ranking, measure: Measure) -> list[str]:
    """Return a sentence with the tests of a ranking, and its notes."""
    ranks = one.ranks
    verdict = "differ" if ranks.p < LEVEL else "do not differ significantly"
    f = "infinite" if math.isinf(ranks.f) else f"{ranks.f:.3g}"
    return [
        f"By {measure.label} over {ranks.n} {one.over} the mean ranks of {ranks.k} entries {verdict}: Friedman's "
        f"chi² = {ranks.chi2:.3g}, p = {ranks.p:.2g} (Iman and Davenport: F = {f}, p = {ranks.p_f:.2g}); Kendall's W = "
        f"{ranks.w:.2f}; critical difference {ranks.critical:.2f} at level {LEVEL:g}, n = {ranks.n}.",
        *one.notes,
    ]


def table(one: Ranking, measure: Measure, suffix: str = "") -> Table:
    """Return the mean rank of each entry, the best first, and the entries from which it differs significantly."""
    ranks = one.ranks
    order = sorted(range(ranks.k), key=lambda i: ranks.means[i])
    rows: list[list[Cell]] = []
    for i in order:
        apart = [one.labels[j] for j in order if abs(ranks.means[i] - ranks.means[j]) >= ranks.critical]
        rows.append([one.labels[i], ranks.means[i], ", ".join(apart) or "none"])
    caption = f"Mean ranks by {measure.label} over {ranks.n} {one.over}; 1 is best."
    columns = ["Entry", "Mean rank", "Differs significantly from"]
    return Table(f"ranks-{measure.name}{suffix}", caption, columns, rows)


def pairs_table(one: Ranking, measure: Measure, suffix: str = "") -> Table:
    """Return Nemenyi's p-value of each pair."""
    ranks = one.ranks
    rows: list[list[Cell]] = [
        [label, *(None if i == j else f"{ranks.nemenyi(i, j):.3g}" for j in range(ranks.k))]
        for i, label in enumerate(one.labels)
    ]
    caption = f"Nemenyi's p-values of {measure.label}, corrected for all pairs."
    return Table(f"nemenyi-{measure.name}{suffix}", caption, ["", *one.labels], rows)
