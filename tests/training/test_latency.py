"""The latency of a model with nothing else running."""

import torch
from torch import nn

from fersearch.training.latency import AT_ONCE, SteadyLatency, steady_latency, threads


def test_the_interval_lies_between_two_runs_around_the_median() -> None:
    known = SteadyLatency.of([float(k) for k in range(1, 101)])
    assert (known.seconds, known.runs, known.interval) == (50.5, 100, (41.0, 61.0))
    assert known.width == 20 / 50.5
    assert SteadyLatency.of([2.0] * 20).width == 0.0


def test_it_runs_until_the_interval_is_narrow_or_the_time_is_up() -> None:
    model, image = nn.Conv2d(1, 4, 3), torch.zeros(1, 1, 16, 16)
    assert steady_latency(model, image, width=1e9).runs == AT_ONCE
    assert steady_latency(model, image, width=0.0, most=0.05).runs > AT_ONCE
    assert not model.training


def test_the_number_of_threads_is_given_back() -> None:
    before = torch.get_num_threads()
    with threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
