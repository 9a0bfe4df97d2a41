"""The geometry of several objectives, checked against its definitions."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fersearch import pareto
from fersearch.pareto import epsilon_net, fronts, hypervolume, hypervolume_gain, knee, non_dominated
from tests.dominance import dominates

COARSE = st.integers(-3, 3).map(float)
FINE = st.floats(-1e6, 1e6)
LOSS = COARSE | FINE | st.just(math.inf)


def points(low: int = 0, high: int = 12, loss: st.SearchStrategy[float] = LOSS, width: int = 4):
    return st.integers(1, width).flatmap(
        lambda d: st.lists(st.lists(loss, min_size=d, max_size=d), min_size=low, max_size=high)
    )


@given(points())
def test_the_fronts_hold_every_point_once(rows):
    assert sorted(itertools.chain(*fronts(rows))) == list(range(len(rows)))


@given(points())
def test_the_points_that_none_dominates_are_the_first_front(rows):
    assert non_dominated(rows) == next(iter(fronts(rows)), [])


@given(points(low=0, high=20), st.integers(0, 4))
def test_a_front_is_the_same_however_much_of_it_is_computed_incrementally(rows, small):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pareto, "SMALL_FRONT", small)
        assert non_dominated(rows) == next(iter(fronts(rows)), [])


@given(points(low=1))
def test_members_of_a_front_do_not_dominate_each_other(rows):
    for front in fronts(rows):
        assert not any(dominates(rows[i], rows[j]) for i, j in itertools.permutations(front, 2))


@given(points(low=1))
def test_every_point_behind_the_first_front_is_dominated_from_the_front_before(rows):
    for before, front in itertools.pairwise(fronts(rows)):
        assert all(any(dominates(rows[i], rows[j]) for i in before) for j in front)


@given(points(), st.randoms(use_true_random=False))
def test_the_fronts_do_not_depend_on_the_order_of_points(rows, chance):
    order = list(range(len(rows)))
    chance.shuffle(order)
    mixed = [{order[i] for i in front} for front in fronts([rows[i] for i in order])]
    assert mixed == [set(front) for front in fronts(rows)]


def test_dominance_needs_one_objective_to_be_strictly_better():
    assert non_dominated([(1, 2), (1, 3)]) == [0]
    assert non_dominated([(1, 2), (1, 2)]) == [0, 1]
    assert non_dominated([(1, 3), (2, 2)]) == [0, 1]


def test_points_of_different_length_are_refused():
    with pytest.raises(ValueError):
        non_dominated([(1, 2), (1, 2, 3)])


def test_one_objective_gives_a_front_for_each_value():
    assert fronts([[3.0], [1.0], [3.0], [2.0]]) == [[1], [3], [0, 2]]


def test_nan_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        fronts([[1.0, math.nan]])


@example([[0.0], [-5e-324]])
@example([[5e-324], [0.0], [1e6]])
@given(points(low=1))
def test_an_epsilon_net_is_an_order_that_starts_with_the_best_by_the_first_objective(rows):
    order = epsilon_net(rows)
    assert sorted(order) == list(range(len(rows)))
    assert rows[order[0]][0] == min(row[0] for row in rows)


def test_an_epsilon_net_takes_the_far_end_before_the_neighbours():
    assert epsilon_net([[0, 10], [1, 9], [5, 5], [10, 0]]) == [0, 3, 2, 1]


def test_an_epsilon_net_does_not_depend_on_units():
    rows = [[0, 10], [1, 9], [5, 5], [6, 4], [10, 0]]
    in_bytes = [[a, b * 2**20] for a, b in rows]
    assert epsilon_net(in_bytes) == epsilon_net(rows)


def inclusion_exclusion(rows, reference):
    """The volume of a union of boxes: the sum over all subsets of the boxes' common corner, with signs."""
    total = 0.0
    for size in range(1, len(rows) + 1):
        for subset in itertools.combinations(rows, size):
            sides = [max(0.0, r - max(column)) for r, column in zip(reference, zip(*subset, strict=True), strict=True)]
            total += (-1) ** (size + 1) * math.prod(sides)
    return total


@settings(max_examples=60)
@given(points(high=6, loss=st.integers(0, 9).map(float)))
def test_the_hypervolume_equals_the_volume_of_the_union_of_boxes(rows):
    reference = [8.0] * (len(rows[0]) if rows else 2)
    assert hypervolume(rows, reference) == pytest.approx(inclusion_exclusion(rows, reference), abs=1e-9)


@given(points(low=1, loss=st.floats(0, 1)), st.randoms(use_true_random=False))
def test_the_hypervolume_does_not_depend_on_the_order_of_points(rows, chance):
    reference = [1.1] * len(rows[0])
    mixed = rows[:]
    chance.shuffle(mixed)
    assert hypervolume(mixed, reference) == pytest.approx(hypervolume(rows, reference), rel=1e-12, abs=1e-15)


@given(points(low=2, loss=st.floats(0, 1)))
def test_another_point_never_shrinks_the_hypervolume_and_a_dominated_one_leaves_it(rows):
    reference = [1.1] * len(rows[0])
    fewer, more = hypervolume(rows[1:], reference), hypervolume(rows, reference)
    assert more >= fewer - 1e-12
    if any(dominates(row, rows[0]) for row in rows[1:]):
        assert more == pytest.approx(fewer, rel=1e-12, abs=1e-15)


@given(points(low=1, loss=st.floats(0, 1.2)))
def test_the_gain_by_a_point_is_the_difference_that_it_makes(rows):
    reference = [1.1] * len(rows[0])
    gain = hypervolume(rows, reference) - hypervolume(rows[1:], reference)
    assert hypervolume_gain(rows[1:], rows[0], reference) == pytest.approx(gain, abs=1e-12)


def test_the_hypervolume_agrees_with_throwing_darts():
    rng = np.random.default_rng(0)
    rows, darts = rng.random((25, 3)), rng.random((40_000, 3))
    hit = (rows[:, None, :] <= darts[None, :, :]).all(axis=2).any(axis=0).mean()
    assert hypervolume(rows, (1.0, 1.0, 1.0)) == pytest.approx(hit, abs=0.01)


def test_points_beyond_the_reference_add_nothing():
    assert hypervolume([[2, 0], [0, math.inf]], (1, 1)) == 0.0
    assert hypervolume([], (1, 1)) == 0.0


@given(points(low=1))
def test_the_knee_stands_on_the_front(rows):
    assert knee(rows) in fronts(rows)[0]


def test_the_knee_is_the_bend_of_an_elbow():
    assert knee([[0, 100], [1, 10], [10, 1], [100, 0], [2, 2]]) == 4


def test_no_points_have_no_knee():
    with pytest.raises(ValueError):
        knee([])
