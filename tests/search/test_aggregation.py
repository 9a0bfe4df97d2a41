"""Which recorded numbers count, with one round and with several."""

import math

import pytest

from fersearch.components import Metric
from fersearch.search.aggregation import round_values, sampler_values, trial_values
from fersearch.study import Objective
from fersearch.trial import Epoch, Trial, TrialState
from tests.search.fakes import METRICS

F1 = Objective("f1_macro", "max")


def epoch(number: int, f1: float, seconds: float, round: int = 1, last: bool = False) -> Epoch:
    return Epoch(number, {"f1_macro": f1, "train_seconds": seconds}, 1.0, round=round, last=last)


def numbered(*epochs: Epoch) -> dict[int, Epoch]:
    return {epoch.number: epoch for epoch in epochs}


TWO_ROUNDS = numbered(
    epoch(1, 0.4, 1.0), epoch(2, 0.3, 2.0, last=True), epoch(3, 0.2, 1.5, 2), epoch(4, 0.6, 4.0, 2, True)
)


def test_a_round_is_known_by_its_best_epoch_and_its_whole_cost() -> None:
    assert round_values(TWO_ROUNDS, F1, METRICS) == [
        {"f1_macro": 0.4, "train_seconds": 2.0},
        {"f1_macro": 0.6, "train_seconds": 4.0},
    ]


def test_a_trial_of_several_rounds_is_known_by_mean_and_deviation() -> None:
    values = trial_values(TWO_ROUNDS, 4, F1, METRICS)
    assert values["f1_macro"] == pytest.approx(0.5)
    assert values["f1_macro_std"] == pytest.approx(math.sqrt(0.02))
    assert values["train_seconds"] == pytest.approx(3.0)
    assert values["train_seconds_std"] == pytest.approx(math.sqrt(2.0))


def test_a_round_that_was_cut_off_does_not_count_beside_whole_ones() -> None:
    cut = {**TWO_ROUNDS, 5: epoch(5, 0.0, 0.1, 3)}
    assert trial_values(cut, None, F1, METRICS) == trial_values(TWO_ROUNDS, None, F1, METRICS)


def test_one_round_has_no_deviation_and_falls_back_to_its_best_epoch() -> None:
    values = trial_values(numbered(epoch(1, 0.4, 1.0), epoch(2, 0.3, 2.0)), None, F1, METRICS)
    assert values == {"f1_macro": 0.4, "train_seconds": 2.0}


def test_costs_of_whole_rounds_are_not_projected() -> None:
    trial = Trial(0, {"epochs": 10}, TrialState.PRUNED, {"train_seconds": 3.0}, epochs=4)
    seconds = [Objective("train_seconds", "min")]
    assert sampler_values(trial, seconds, METRICS) == [7.5]
    assert sampler_values(trial, seconds, METRICS, in_rounds=True) == [3.0]


def test_the_fakes_know_a_metric_that_grows() -> None:
    assert isinstance(METRICS["train_seconds"], Metric)
    assert METRICS["train_seconds"].cumulative
