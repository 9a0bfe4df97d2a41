"""A table that goes on at another speed: what is trained, and what new costs are worth at the speed of the old ones."""

import numpy as np
import pytest

from tests.benchmarks.search.continued import at_recorded_speed, plan


def run(seconds: float, memory: float = 50.0, f1: float = 0.5) -> np.ndarray:
    """Return the curve of two epochs whose second ends after so many CPU seconds."""
    return np.array([[f1 / 2, seconds / 2, memory], [f1, seconds, memory]])


def test_every_missing_configuration_is_planned_once_with_repeats_between():
    order = plan(range(8), range(8, 15))
    assert [number for number in order if number >= 8] == list(range(8, 15))
    assert [order.index(number) for number in order if number < 8] == [0, 4, 8]
    assert len(set(order)) == len(order)


def test_without_recorded_configurations_there_are_no_repeats():
    assert plan([], range(5)) == [0, 1, 2, 3, 4]
    new, errors = at_recorded_speed({3: run(8.0)}, {})
    assert np.array_equal(new[3], run(8.0))
    assert errors == []


def test_costs_are_those_of_the_recorded_speed_and_scores_stay():
    table = {0: run(4.0), 1: run(6.0)}
    new, errors = at_recorded_speed({0: run(8.0, 55), 5: run(20.0, 110, 0.7), 1: run(12.0, 55)}, table)
    assert list(new) == [5]
    assert new[5] == pytest.approx(run(10.0, 100, 0.7))
    assert errors == pytest.approx([0, 0], abs=1e-9)


def test_small_costs_may_have_grown_more_than_large_ones():
    seconds = np.linspace(4, 25, 10)
    table = {number: run(then, then) for number, then in enumerate(seconds)}
    now = {number: run(3 * then**0.8, then) for number, then in enumerate(seconds)}
    new, _ = at_recorded_speed({**now, 20: run(3 * 9.0**0.8), 21: run(3 * 20.0**0.8)}, table)
    assert [curve[-1, 1] for curve in new.values()] == pytest.approx([9, 20])


def test_the_error_is_that_of_the_repeats():
    table = {number: run(10.0) for number in range(4)}
    now = {0: run(10.0), 1: run(10.0), 2: run(8.0), 3: run(12.5)}
    assert at_recorded_speed({**now, 9: run(10.0)}, table)[1] == pytest.approx([0.1, 0])
