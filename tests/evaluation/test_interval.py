"""Bootstrap intervals over images and seeds."""

import numpy as np
import pytest
from fersearch_metrics.averages import AucMacro, F1Macro
from fersearch_metrics.quality import Accuracy

from fersearch.components import Evaluation
from fersearch.evaluation.interval import interval

CLASSES = ("a", "b", "c")


def answers(shares_right: list[float], n: int = 400, seed: int = 0) -> list[Evaluation]:
    """Models of which each calls its share of the same images right."""
    chance = np.random.default_rng(seed)
    labels = chance.integers(3, size=n)
    result = []
    for right in shares_right:
        called = np.where(chance.random(n) < right, labels, (labels + 1) % 3)
        shares = np.full((n, 3), 0.1, np.float32)
        shares[np.arange(n), called] = 0.8
        result.append(Evaluation(shares, labels, CLASSES))
    return result


def test_of_one_model_it_is_that_of_a_share():
    runs = answers([0.7])
    share = Accuracy().compute(runs[0])
    half = 1.96 * (share * (1 - share) / 400) ** 0.5
    assert interval(Accuracy(), runs) == pytest.approx((share - half, share + half), abs=0.012)


def test_models_that_differ_widen_it_and_it_holds_their_mean():
    low, high = interval(F1Macro(), answers([0.7, 0.7, 0.7]))
    wider = interval(F1Macro(), differing := answers([0.5, 0.7, 0.9]))
    assert wider[1] - wider[0] > 1.5 * (high - low)
    assert wider[0] < np.mean([F1Macro().compute(one) for one in differing]) < wider[1]


def test_a_metric_of_shares_is_computed_for_each_resample():
    low, high = interval(AucMacro(), runs := answers([0.7, 0.72], n=100))
    assert low < np.mean([AucMacro().compute(one) for one in runs]) < high
    assert 0.02 < high - low < 0.25


def test_it_is_the_same_twice_and_another_by_another_seed():
    runs = answers([0.6, 0.7])
    assert interval(F1Macro(), runs, 1) == interval(F1Macro(), runs, 1)
    assert interval(F1Macro(), runs, 1) != interval(F1Macro(), runs, 2)


def test_models_without_a_mistake_have_no_width():
    assert interval(Accuracy(), answers([1.0, 1.0])) == (1.0, 1.0)
