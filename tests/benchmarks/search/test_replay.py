"""The replays: worlds that repeat, rivals that follow their rules, and a comparison that ends."""

import json

import numpy as np
import pytest

from tests.benchmarks.search import methods, replay
from tests.benchmarks.search.rungs import HalvingOnF1, HalvingOnFronts, MultiMetricHalving, MultiMetricMedian
from tests.benchmarks.search.tables import COSTS, read_table
from tests.benchmarks.search.variants import Rule, Variant
from tests.benchmarks.search.world import Forest, Rows, SearchedEpochs, random_configuration

TABLE = "ferplus"


@pytest.mark.parametrize("name", ["ferplus", "fer2013"])
def test_a_table_holds_whole_runs_inside_its_space(name: str) -> None:
    table = read_table(name)
    assert table.curves.shape == (len(table.configurations), 12, len(COSTS))
    assert (np.diff(table.curves[:, :, 1]) > 0).all(), "CPU seconds grow"
    assert ((table.curves[:, :, 0] >= 0) & (table.curves[:, :, 0] <= 1)).all()
    for params in table.configurations:
        table.space.check(params)


def test_a_world_gives_the_same_for_the_same_configuration_and_another_world_does_not() -> None:
    table = read_table(TABLE)
    params = random_configuration(table.space, np.random.default_rng(1))
    table.space.check(params)
    curve = Forest(table, 1).curve(params)
    assert np.array_equal(curve, Forest(table, 1).curve(params))
    assert not np.array_equal(curve, Forest(table, 2).curve(params))
    assert (np.diff(curve[:, 1]) > 0).all()


def test_raw_rows_are_proposed_once_each() -> None:
    table = read_table(TABLE)
    world, params = Rows(table), dict(table.configurations[3])
    assert np.array_equal(world.curve(params), table.curves[3])
    assert not np.array_equal(world.curve(params), table.curves[3])


def test_a_run_is_as_long_as_its_configuration_where_epochs_are_searched() -> None:
    table = read_table(TABLE)
    params = {**table.configurations[3]}
    world = SearchedEpochs(Forest(table, 1))
    whole, short = world.curve({**params, "epochs": 12}), world.curve({**params, "epochs": 4})
    assert np.array_equal(whole, Forest(table, 1).curve(params))
    assert np.array_equal(short, whole[:4])
    lengths = {random_configuration(world.space, np.random.default_rng(k))["epochs"] for k in range(60)}
    assert lengths == set(range(3, 13))


def test_halving_on_f1_keeps_a_third() -> None:
    rule = HalvingOnF1()
    assert [rule.stops(n, 3, (-f1, 1.0, 1.0), 12) for n, f1 in enumerate((0.1, 0.2, 0.3, 0.15, 0.4))] == [
        False, False, False, True, False,
    ]  # fmt: skip
    assert not rule.stops(9, 2, (0.0, 1.0, 1.0), 12)


def test_halving_on_fronts_stops_what_is_dominated() -> None:
    rule = HalvingOnFronts()
    for number in range(5):
        rule.stops(number, 1, (-0.5 - 0.1 * number, 1.0 + number, 1.0), 12)
    assert rule.stops(9, 1, (0.0, 9.0, 9.0), 12)


def test_the_rival_never_stops_a_trial_on_the_first_front() -> None:
    for rule in (MultiMetricHalving(), MultiMetricMedian()):
        for number in range(12):
            rule.stops(number, 1, (-0.1 * number, float(number), 1.0), 12)
            rule.ended(number)
        assert not rule.stops(50, 1, (0.5, -1.0, 1.0), 12)
        assert rule.stops(51, 1, (5.0, 50.0, 50.0), 12)


def test_the_rival_ranks_ties_by_their_hypervolume() -> None:
    """Three trials behind one: the middle one adds the most, so its value is the least of their front."""
    rule = MultiMetricHalving()
    for number, losses in enumerate([(0.0, 0.0), (1.0, 3.0), (1.5, 1.5), (3.0, 1.0)]):
        rule._reports[number] = {1: losses}
        rule.ended(number)
    rule._ended.discard(3)
    own, others = rule._values(3, 1)
    assert others[0] == 0.0
    assert others[2] == 0.5
    assert 0.5 < own <= 0.9


def test_the_variant_as_built_is_the_project_s_search_by_its_first_rules() -> None:
    table = read_table(TABLE)
    chance = np.random.default_rng(3)
    first = [random_configuration(table.space, chance) for _ in range(10)]
    world, span = Forest(table, 4), 60.0
    runs = [
        replay.simulate(world, method, 2, span, np.random.default_rng(5))
        for method in (
            methods.Fersearch(table.space, 7, first, rules=1),
            Variant(table.space, 7, first, Rule(), table.epochs),
        )
    ]
    assert runs[0].proposals > 12
    assert np.array_equal(runs[0].times, runs[1].times)
    assert np.array_equal(runs[0].volumes, runs[1].volumes)


def test_a_comparison_gives_a_row_for_each_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "FIRST", 4)
    names = ["fersearch", "optuna-tpe", "random", "asha-f1"]
    result = replay.start(replay.Worlds(TABLE), 0, 2, names)
    rows = json.loads(json.dumps(list(replay.rows([result], 2))))
    assert [row["method"] for row in rows] == names
    wanted = {"method", "workers", "seeds", "t95", "t100", "hv_third", "hv_half", "hv", "f1", "t95_of_tpe"}
    assert all(wanted <= set(row) for row in rows)
    assert all(0 < row["hv_third"] <= row["hv_half"] <= row["hv"] for row in rows)
    assert rows[1]["t95_of_tpe"] == 1.0
