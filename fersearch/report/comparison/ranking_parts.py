"""The section about ranks in the page of a comparison, with the diagram of critical differences."""

from collections.abc import Sequence

from fersearch.report.comparison.prose import sentence
from fersearch.report.comparison.ranking import Ranking
from fersearch.report.comparison.ranking_tables import pairs_table, sentences, table
from fersearch.report.inputs import Measure
from fersearch.report.parts import Fold, Missing, Part, Plot, Section, Tabular, Text
from fersearch.report.plots.ranks import critical_difference

ABOUT = (
    "Friedman's test asks whether the mean ranks of several entries over the same blocks (rounds or datasets) differ "
    "at all; Nemenyi's critical difference then shows which do, for all pairs at once (Demsar 2006)."
)


def section(rankings: Sequence[Ranking], why: Sequence[str], measure: Measure) -> Section:
    """Return the section about ranks by one metric."""
    parts: list[Part] = [Text(ABOUT)] if rankings else [Missing("Friedman's test is not defined here.")]
    for place, ranking in enumerate(rankings, start=1):
        parts += _ranking(ranking, measure, "" if place == 1 else f"-{place}")
    return Section("ranks", "Ranks", [*parts, *map(Missing, why)])


def _ranking(one: Ranking, measure: Measure, suffix: str) -> list[Part]:
    ranks = one.ranks
    figure = critical_difference(one.labels, ranks.means, ranks.critical, ranks.cliques)
    caption = (
        f"{sentence(measure.label)}: mean ranks over {ranks.n} {one.over}. A bar joins entries that do not differ "
        f"significantly; critical difference {ranks.critical:.2f}."
    )
    folded = Fold("P-values of all pairs", [Tabular(pairs_table(one, measure, suffix))])
    diagram = Plot(f"critical-difference{suffix}", caption, figure)
    return [*map(Text, sentences(one, measure)), diagram, Tabular(table(one, measure, suffix)), folded]
