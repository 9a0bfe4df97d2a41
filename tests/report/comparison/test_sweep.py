"""One factor at a time, on trials made by hand."""

from dataclasses import replace

from fersearch.report.comparison import sweep
from fersearch.report.comparison.sweep import Sweep
from fersearch.report.plots import style
from fersearch.report.tables import Spread
from tests.report.fakes import MEASURES, record, trial


def made(*points: tuple[dict[str, object], float], factor: str = "batch_size") -> Sweep:
    trials = [
        replace(trial(number), params=params, values={"f1_macro": f1, "train_seconds": 5.0})
        for number, (params, f1) in enumerate(points)
    ]
    base = record(1)
    return Sweep(replace(base, trials=trials), factor, [MEASURES["f1_macro"]])


POINTS = (
    ({"batch_size": 64, "optimizer": "adam"}, 0.5),
    ({"batch_size": 32, "optimizer": "adam"}, 0.7),
    ({"batch_size": 32, "optimizer": "sgd", "momentum": 0.9}, 0.3),
)


def test_values_in_order_with_mean_and_best():
    result = made(*POINTS)
    table = sweep.table(result, result.metrics)
    assert table.columns == ["batch size", "Trials", "F1 macro ↑", "Best F1 macro"]
    assert table.rows[0][:2] == ["32", 2]
    assert isinstance(table.rows[0][2], Spread)
    assert table.rows[0][3] == 0.7
    assert table.rows[1] == ["64", 1, 0.5, 0.5]
    assert table.marked == {(0, 3)}


def test_trials_that_differ_in_the_factor_alone():
    result = made(*POINTS)
    alone = sweep.equal_elsewhere(result)
    assert [one.number for one in alone] == [1, 0]
    assert sweep.settings(alone, "batch_size") == "Equal in all of them: optimizer adam."
    assert sweep.equal_elsewhere(made(*POINTS[1:])) == []


def test_parameters_below_the_factor_may_differ_with_it():
    result = made(*POINTS[1:], factor="optimizer")
    assert [one.number for one in sweep.equal_elsewhere(result)] == [1, 0]


def test_many_numbers_are_divided_into_ranges():
    result = made(*(({"batch_size": size}, 0.5) for size in range(1, 21)))
    assert [(name, len(trials)) for name, trials in sweep.bins(result)] == [
        ("1 to 4", 4),
        ("5 to 8", 4),
        ("9 to 12", 4),
        ("13 to 16", 4),
        ("17 to 20", 4),
    ]


def test_the_page():
    with style.styled():
        page = sweep.sweep(made(*POINTS))
        apart = sweep.sweep(made(*POINTS[1:]))
    assert [table.name for table in page.tables()] == ["equal-elsewhere", "sweep", "trials"]
    assert [table.name for table in apart.tables()] == ["sweep", "trials"]
