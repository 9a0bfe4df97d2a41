"""Friedman's test against published figures and scipy, and where it is not defined."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fersearch.report.comparison import page, screen
from fersearch.report.comparison.paired_tests import paired
from fersearch.report.comparison.ranking import Ranks, rankings, ranks_of
from fersearch.report.comparison.ranking_tables import pairs_table, sentences, table
from fersearch.report.parts import Missing, Plot
from fersearch.report.plots import style
from fersearch.report.plots.ranks import critical_difference
from fersearch.study import Protocol
from tests.report.compare_fakes import MEASURES, comparison, entry

F1 = MEASURES["f1_macro"]
DEMSAR = [
    (0.763, 0.768, 0.771, 0.798),
    (0.599, 0.591, 0.590, 0.569),
    (0.954, 0.971, 0.968, 0.967),
    (0.628, 0.661, 0.654, 0.657),
    (0.882, 0.888, 0.886, 0.898),
    (0.936, 0.931, 0.916, 0.931),
    (0.661, 0.668, 0.609, 0.685),
    (0.583, 0.583, 0.563, 0.625),
    (0.775, 0.838, 0.866, 0.875),
    (1.000, 1.000, 1.000, 1.000),
    (0.940, 0.962, 0.965, 0.962),
    (0.619, 0.666, 0.614, 0.669),
    (0.972, 0.981, 0.9751, 0.975),
    (0.957, 0.978, 0.946, 0.970),
]
"""AUC of four variants of C4.5 on 14 datasets: table 6 of Demsar 2006, ranks of the last two of `voting` as there."""


def test_ranks_and_critical_difference_equal_demsars() -> None:
    result = ranks_of(DEMSAR, is_more_better=True)
    assert (result.n, result.k) == (14, 4)
    assert result.means == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    assert result.critical == pytest.approx(1.25, abs=5e-3)
    untied = 1 - (6 + 6 + 60 + 6) / (14 * 4 * 15)
    assert result.chi2 * untied == pytest.approx(9.28, abs=5e-3), "the paper corrects no ties"
    assert result.w == pytest.approx(result.chi2 / (14 * 3))


@pytest.mark.parametrize(("k", "q"), [(3, 2.343), (4, 2.569), (5, 2.728), (7, 2.949), (10, 3.164)])
def test_critical_values_equal_the_published_table(k: int, q: float) -> None:
    """Table 5 of Demsar 2006, at level 0.05."""
    chance = np.random.default_rng(k)
    result = ranks_of(chance.random((6, k)).tolist(), is_more_better=True)
    assert result.critical / math.sqrt(k * (k + 1) / 36) == pytest.approx(q, abs=1.1e-3)


def test_the_statistic_is_that_of_scipy_whatever_is_better() -> None:
    values = np.random.default_rng(1).random((12, 6))
    up, down = (ranks_of(values.tolist(), more) for more in (True, False))
    expected = stats.friedmanchisquare(*values.T)
    assert (up.chi2, up.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert (down.chi2, down.p) == pytest.approx((up.chi2, up.p))
    assert np.add(up.means, down.means) == pytest.approx(7)
    assert up.f == pytest.approx(11 * up.chi2 / (12 * 5 - up.chi2))
    assert up.p_f == pytest.approx(stats.f.sf(up.f, 5, 55))


def test_a_pair_that_is_apart_by_the_critical_difference_has_a_p_of_the_level() -> None:
    ranks = ranks_of(DEMSAR, is_more_better=True)
    moved = replace(ranks, means=(1.0, 1.0 + ranks.critical, 2.0, 3.0))
    assert moved.nemenyi(0, 1) == pytest.approx(0.05)
    assert moved.nemenyi(0, 0) == pytest.approx(1.0)


def test_p_values_of_pairs_equal_scikit_posthocs() -> None:
    """`posthoc_nemenyi_friedman` of version 0.17.1, on the same table."""
    ranks = ranks_of(DEMSAR, is_more_better=True)
    pairs = [ranks.nemenyi(i, j) for i in range(4) for j in range(i + 1, 4)]
    assert pairs == pytest.approx([0.088673, 0.956177, 0.074185, 0.259228, 0.999859, 0.226697], abs=1e-6)


def test_blocks_that_agree_and_blocks_that_tie() -> None:
    same = ranks_of([(3.0, 2.0, 1.0)] * 4, is_more_better=True)
    assert (same.means, same.w, same.f, same.p_f) == ((1, 2, 3), pytest.approx(1), math.inf, 0)
    tied = ranks_of([(1.0, 1.0, 1.0)] * 4, is_more_better=True)
    assert (tied.means, tied.p, tied.w) == ((2, 2, 2), 1, 0)


def test_cliques_are_the_largest_sets_without_a_significant_difference() -> None:
    ranks = Ranks(9, 5, (4.8, 1.0, 2.1, 3.0, 4.9), 1, 1, 1, 1, 1, critical=2.0)
    assert ranks.cliques == [(1, 2), (2, 3), (3, 0, 4)]
    assert replace(ranks, critical=9.0).cliques == [(1, 2, 3, 0, 4)]
    assert replace(ranks, critical=0.05).cliques == []


def test_entries_are_ranked_over_the_rounds_they_share() -> None:
    result = comparison(entry("a", (0.5, 0.6, 0.7)), entry("b", (0.4, 0.5, 0.8)), entry("c", (0.3, 0.4, 0.5)))
    (one,), why = rankings(result, F1)
    assert (one.over, one.labels, why) == ("rounds of faces", ("a", "b", "c"), [])
    assert one.ranks.means == pytest.approx((4 / 3, 5 / 3, 3))
    assert one.ranks.n == 3
    assert [note.partition(":")[0] for note in one.notes] == [
        "With n = 3 and k = 3 the p-values are approximate",
        "Folds share most of their training images, and the test assumes that they are independent.",
    ]
    assert sentences(one, F1)[0].startswith(
        "By F1 macro over 3 rounds of faces the mean ranks of 3 entries do not differ significantly: Friedman's chi² = "
    )
    assert [row[0] for row in table(one, F1).rows] == ["a", "b", "c"]
    assert [row[i + 1] for i, row in enumerate(pairs_table(one, F1).rows)] == [None] * 3


def test_repeats_are_reported_to_measure_chance_alone() -> None:
    entries = [entry(name, protocol=Protocol(repeats=3)) for name in "abc"]
    (one,), _ = rankings(comparison(*entries), F1)
    assert one.notes[1].startswith("Repeats share one split")


def test_models_are_ranked_over_datasets() -> None:
    scores = {"cnn": (0.5, 0.6, 0.7), "vgg": (0.6, 0.7, 0.6), "net": (0.4, 0.5, 0.5)}
    entries = [
        entry(f"g/{model}/{name}", (score,), architecture=model, dataset=name, protocol=Protocol())
        for model, own in scores.items()
        for name, score in zip("xyz", own, strict=True)
    ]
    result = comparison(*entries)
    (one,), why = rankings(result, F1)
    assert (one.over, one.labels, one.ranks.n) == ("datasets", ("cnn", "vgg", "net"), 3)
    assert one.ranks.means == pytest.approx((5 / 3, 4 / 3, 3))
    assert why[0] == "x: 0 of the entries have paired rounds; 3 are needed"
    missing = comparison(*entries[:-1])
    assert "2 models with a value on every dataset; 3 are needed" in rankings(missing, F1)[1]


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([entry("a"), entry("b")], "faces: 2 of the entries have paired rounds; 3 are needed"),
        ([entry(name, (0.5, 0.6)) for name in "abc"], "faces: 2 rounds in common; 3 are needed"),
        (
            [entry("a"), entry("b"), replace(entry("c"), digest="cd" * 32)],
            "faces: 2 of the entries have paired rounds; 3 are needed",
        ),
    ],
)
def test_the_reason_for_an_undefined_value_is_reported(entries: list, why: str) -> None:
    assert rankings(comparison(*entries), F1) == ([], [why])
    with style.styled():
        section = next(one for one in page.comparison(comparison(*entries)).sections if one.id == "ranks")
    assert section.parts == [Missing("Friedman's test is not defined here."), Missing(why)]


def test_the_page_and_the_screen_show_ranks() -> None:
    result = comparison(*(entry(name, (0.5 + i / 10, 0.6, 0.7)) for i, name in enumerate("abcd")))
    with style.styled():
        section = next(one for one in page.comparison(result).sections if one.id == "ranks")
    assert [part.name for part in section.parts if isinstance(part, Plot)] == ["critical-difference"]
    grids = [item for item in screen.comparison(result) if isinstance(item, screen.Grid)]
    assert [list(item.titles) for item in grids][-1] == ["Entry", "Mean rank", "Differs significantly from"]


def test_the_diagram_names_every_entry_and_draws_each_clique() -> None:
    ranks, labels = ranks_of(DEMSAR, is_more_better=True), ["C4.5", "m", "cf", "m+cf"]
    with style.styled():
        svg, _ = style.render(critical_difference(labels, ranks.means, ranks.critical, ranks.cliques))
    for text in ("C4.5", "m+cf  1.96", "critical difference 1.25"):
        assert text in svg
    assert svg.count("stroke: #ee6677") == len(ranks.cliques) == 1


def test_sizes_of_effects_by_hand() -> None:
    """Differences 1, 2, 3, -4: mean .5 and deviation sqrt(29/3); ranks 1 + 2 + 3 against 4 of 10."""
    result = paired([1, 2, 3, 0], [0, 0, 0, 4])
    assert result.d == pytest.approx(0.5 / math.sqrt(29 / 3))
    assert result.r == pytest.approx((6 - 4) / 10)
    assert paired([1, 2, 3], [0, 1, 2]).r == 1.0
    same = paired([1, 2, 3], [1, 2, 3])
    assert math.isnan(same.d)
    assert math.isnan(same.r)
