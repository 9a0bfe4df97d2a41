"""Greedy selection with replacement, on numbers whose best mean is known."""

import pytest

from fersearch.ensembles.selection import Step, best_length, select


def off(values, wanted):
    """How far the mean of a bag of values is from a wanted one."""
    return lambda bag: abs(sum(values[index] for index in bag) / len(bag) - wanted)


def test_the_first_step_is_the_best_alone_and_each_next_the_best_with_it():
    steps = select(3, 2, off([0.0, 3.0, 10.0], 4.0))
    assert steps[0] == Step(1, 1.0)
    assert steps[1].candidate == 1
    steps = select(3, 2, off([0.0, 3.0, 6.0], 4.0))
    assert [step.candidate for step in steps] == [1, 2]
    assert steps[1].loss == 0.5


def test_a_candidate_is_added_again_where_that_is_best():
    steps = select(2, 4, off([0.0, 4.0], 1.0))
    assert [step.candidate for step in steps] == [0, 0, 1, 0]
    assert steps[3].loss == 0.0
    assert best_length(steps) == 4


def test_equal_losses_go_to_a_member_then_to_the_smaller_index():
    assert [step.candidate for step in select(3, 3, lambda bag: 1.0)] == [0, 0, 0]
    losses = {(0,): 2.0, (1,): 1.0, (2,): 1.0}
    steps = select(3, 2, lambda bag: losses.get(tuple(bag), 1.0))
    assert [step.candidate for step in steps] == [1, 1]


def test_the_fewest_of_equally_good_steps_count():
    assert best_length([Step(0, 2.0), Step(1, 1.0), Step(1, 1.0), Step(2, 3.0)]) == 2


def test_a_candidate_not_allowed_alone_is_never_tried():
    bags = []

    def loss(bag):
        bags.append(tuple(bag))
        return -float(max(bag))

    steps = select(3, 2, loss, lambda members: 2 not in members)
    assert {step.candidate for step in steps} == {1}
    assert all(2 not in bag for bag in bags)


def test_what_is_not_allowed_together_is_not_put_together():
    steps = select(3, 3, off([0.0, 3.0, 6.0], 4.0), lambda members: len(members) < 2)
    assert [step.candidate for step in steps] == [1, 1, 1]


def test_nothing_allowed_is_no_step():
    assert select(3, 3, lambda bag: 0.0, lambda members: False) == []


@pytest.mark.parametrize("size", [1, 5])
def test_the_size_bounds_the_steps(size):
    assert len(select(4, size, off([1.0, 2.0, 3.0, 4.0], 2.4))) == size
