"""The latency of a model with nothing else running."""

import time

import numpy as np
import torch
from torch import nn

from fersearch.training.batches import Pixels
from fersearch.training.latency import (
    RUNS_PER_CHECK,
    SteadyLatency,
    Stopwatch,
    Take,
    in_torch,
    rough_latency,
    steady_latency,
    threads,
)

MODEL = nn.Conv2d(1, 4, 3)
PIXELS = Pixels.of(np.zeros((1, 1, 16, 16), np.uint8), (0.5,), (0.5,), torch.device("cpu"))


def forbidden(_: Take) -> SteadyLatency:
    raise AssertionError


def test_the_interval_lies_between_two_runs_around_the_median() -> None:
    known = SteadyLatency.of([float(k) for k in range(1, 101)])
    assert (known.seconds, known.runs, known.interval) == (50.5, 100, (41.0, 61.0))
    assert known.width == 20 / 50.5
    assert SteadyLatency.of([2.0] * 20).width == 0.0


def test_it_runs_until_the_interval_is_narrow_or_the_time_is_up() -> None:
    with in_torch(MODEL, PIXELS) as once:
        assert steady_latency(once, width=1e9).runs == RUNS_PER_CHECK
        assert steady_latency(once, width=0.0, most=0.05).runs > RUNS_PER_CHECK
        assert 0 < rough_latency(once) < 1
    assert not MODEL.training


def test_a_slow_model_is_measured_for_no_longer_than_the_limit() -> None:
    started = time.perf_counter()
    assert steady_latency(lambda: time.sleep(0.03), width=0.0, most=0.1).runs < RUNS_PER_CHECK
    assert time.perf_counter() - started < 0.3


def test_a_latency_that_does_not_count_is_measured_roughly_and_not_reported() -> None:
    stopwatch = Stopwatch(quiet=forbidden)
    assert stopwatch(MODEL, PIXELS) > 0
    assert stopwatch.facts == {}


def test_what_counts_is_measured_alone_once() -> None:
    measurements: list[SteadyLatency] = []

    def quiet(take: Take) -> SteadyLatency:
        measurements.append(take(0.1))
        return measurements[-1]

    stopwatch = Stopwatch(quiet=quiet, counts=True, threads=3)
    assert stopwatch(MODEL, PIXELS) == stopwatch(MODEL, PIXELS) == measurements[0].seconds
    assert len(measurements) == 1
    facts = {name: value for name, value in stopwatch.facts.items() if name != "width"}
    assert facts == {"alone": True, "runs": measurements[0].runs, "batch": 1, "threads": 3}


def test_where_others_do_not_pause_it_is_rough_and_measured_again() -> None:
    answers = [None, SteadyLatency(0.5, 4, (0.4, 0.6))]
    stopwatch = Stopwatch(quiet=lambda _: answers.pop(0), counts=True)
    assert 0 < stopwatch(MODEL, PIXELS) < 0.5
    assert stopwatch.facts == {"alone": False, "runs": 10, "batch": 1, "threads": 1}
    assert stopwatch(MODEL, PIXELS) == 0.5
    assert (stopwatch.facts["alone"], stopwatch.facts["width"]) == (True, None)


def test_the_number_of_threads_is_restored() -> None:
    before = torch.get_num_threads()
    with threads(2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
