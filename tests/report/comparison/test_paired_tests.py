"""Paired tests by hand numbers and against scipy."""

import math

import pytest
from scipy import stats

from fersearch.report.comparison.paired_tests import holm, least_wilcoxon, paired

A = [0.80, 0.82, 0.81, 0.85, 0.79, 0.84, 0.83]
B = [0.78, 0.80, 0.81, 0.80, 0.78, 0.80, 0.82]


def test_paired_t_and_wilcoxon_equal_scipys():
    result = paired(A, B)
    assert result.n == 7
    assert result.t == pytest.approx(stats.ttest_rel(A, B).pvalue)
    differences = [round(a - b, 9) for a, b in zip(A, B, strict=True) if a != b]
    assert result.wilcoxon == pytest.approx(stats.wilcoxon(differences).pvalue)
    interval = stats.ttest_rel(A, B).confidence_interval()
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high))
    assert math.isnan(result.corrected)
    assert result.p == result.t


def test_the_corrected_test_by_hand():
    """Differences 1, 2, 3: mean 2, variance 1; with 3 folds the ratio is 1/2, so t = 2 / sqrt(1/3 + 1/2)."""
    result = paired([1, 2, 3], [0, 0, 0], ratio=0.5)
    t = 2 / math.sqrt(1 / 3 + 1 / 2)
    # Student's t with 2 degrees of freedom has the closed form P(|T| > t) = 1 - t / sqrt(2 + t²).
    assert result.corrected == pytest.approx(1 - t / math.sqrt(2 + t * t))
    assert result.t == pytest.approx(1 - math.sqrt(12) / math.sqrt(14))
    assert result.p == result.corrected > result.t
    half = 4.302652729911275 * math.sqrt(1 / 3 + 1 / 2)
    assert (result.low, result.high) == pytest.approx((2 - half, 2 + half))


def test_few_differences_are_reported_as_too_few_for_wilcoxon():
    assert least_wilcoxon(5) == 0.0625
    result = paired([5, 4, 3, 2, 1], [0, 0, 0, 0, 0])
    assert result.wilcoxon == 0.0625
    assert result.notes == ("Wilcoxon's p is 0.0625 at least",)
    assert paired([6, 5, 4, 3, 2, 1], [0] * 6).notes == ()


def test_differences_without_deviation():
    same = paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], ratio=0.5)
    assert (same.difference, same.p, same.wilcoxon) == (0, 1, 1)
    assert "equal in every round" in same.notes[0]
    shifted = paired([1, 2, 3], [0, 1, 2], ratio=0.5)
    assert math.isnan(shifted.p)
    assert shifted.difference == 1
    assert "so that a t-test is not defined" in shifted.notes[0]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_does_not_count_what_was_not_tested():
    result = holm([0.01, math.nan, 0.04])
    assert result[0] == pytest.approx(0.02)
    assert result[2] == pytest.approx(0.04)
    assert math.isnan(result[1])
