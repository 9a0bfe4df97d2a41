"""Slots are shared by weight, none is idle that somebody wants, and none is given twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch.service.shares import Demand, Share, counts, slots

OWNERS = ("ada", "bob", "cy")
DEMANDS = st.lists(st.tuples(st.sampled_from(OWNERS), st.integers(0, 12)), max_size=6).map(
    lambda rows: [Demand(number, owner, wants) for number, (owner, wants) in enumerate(rows)]
)
SHARES = st.dictionaries(
    st.sampled_from(OWNERS), st.builds(Share, st.sampled_from([0.5, 1.0, 3.0]), st.none() | st.integers(0, 5))
)


def owned(demands: list[Demand], result: dict[int, int]) -> dict[str, int]:
    return {owner: sum(result[one.study] for one in demands if one.owner == owner) for owner in OWNERS}


@given(DEMANDS, st.integers(0, 16), SHARES)
def test_nobody_gets_more_than_is_there_wanted_or_allowed(demands: list[Demand], total: int, shares: dict[str, Share]):
    result = counts(demands, total, shares)
    assert sum(result.values()) <= total
    assert all(0 <= result[one.study] <= one.wants for one in demands)
    for owner, share in shares.items():
        assert share.most is None or owned(demands, result)[owner] <= share.most


@given(DEMANDS, st.integers(0, 16), SHARES)
def test_no_slot_is_idle_while_somebody_may_have_another(demands: list[Demand], total: int, shares: dict[str, Share]):
    result = counts(demands, total, shares)
    have = owned(demands, result)
    hungry = [
        one
        for one in demands
        if result[one.study] < one.wants
        and ((most := shares.get(one.owner, Share()).most) is None or have[one.owner] < most)
    ]
    assert sum(result.values()) == total or not hungry


@given(st.integers(2, 40), st.sampled_from([1.0, 2.0, 3.0]))
def test_hungry_owners_get_slots_in_proportion_to_their_weights(total: int, weight: float):
    demands = [Demand(0, "ada", 100), Demand(1, "bob", 100)]
    result = counts(demands, total, {"ada": Share(weight)})
    assert abs(result[0] / weight - result[1]) <= 1


def test_an_owners_first_study_goes_before_the_next():
    demands = [Demand(0, "ada", 3), Demand(1, "ada", 3), Demand(2, "bob", 1)]
    assert counts(demands, 4, {}) == {0: 3, 1: 0, 2: 1}


@given(st.data())
def test_slots_are_never_assigned_twice_nor_while_a_driver_holds_them(data: st.DataObject):
    total = data.draw(st.integers(1, 8))
    numbers = list(range(total))
    before = {study: data.draw(st.sets(st.sampled_from(numbers))) for study in (0, 1)}
    before[1] -= before[0]
    busy = data.draw(st.sets(st.sampled_from(numbers)))
    first = data.draw(st.integers(0, total))
    wanted = {0: first, 1: data.draw(st.integers(0, total - first))}
    result = slots(wanted, before, busy, total)
    assert not set(result[0]) & set(result[1])
    for study, own_slots in result.items():
        assert len(set(own_slots)) == len(own_slots) <= wanted[study]
        assert not (set(own_slots) - before[study]) & busy


@pytest.mark.parametrize(
    ("wanted", "before", "busy", "expected"),
    [
        ({0: 2}, {}, (), {0: [0, 1]}),
        ({0: 1, 1: 1}, {0: [0, 1]}, (0, 1), {0: [0], 1: []}),  # slot 1 is taken from study 0, which has not left it
        ({0: 1, 1: 1}, {0: [0], 1: []}, (0,), {0: [0], 1: [1]}),  # it has left
    ],
)
def test_a_slot_moves_once_its_driver_has_left_it(wanted, before, busy, expected):
    assert slots(wanted, before, busy, 2) == expected
