"""Who may be compared with whom, grids, classes, tables, sentences and the page, on entries made by hand."""

import math
from dataclasses import replace

import pytest

from fersearch.report.comparison import grid as compare_grid
from fersearch.report.comparison import page as compare_page
from fersearch.report.comparison import paired_tests, prose, tables
from fersearch.report.plots import style
from fersearch.report.tables import Spread
from fersearch.study import Objective, Protocol
from tests.report.compare_fakes import KFOLD, comparison, entry, grid
from tests.report.fakes import MEASURES

F1 = MEASURES["f1_macro"]


def why(a, b):
    return paired_tests.obstacle(a, b, [a, b])


def test_rounds_on_the_same_splits_are_pairs():
    a, b = entry("a"), entry("b", (0.4, 0.5, 0.5))
    assert why(a, b) == ""
    tested, untested = paired_tests.tests(comparison(a, b), F1)
    assert not untested
    assert tested[0].result.n == 3
    assert tested[0].result.difference == pytest.approx(0.4 / 3)
    assert tested[0].holm == tested[0].result.corrected


def test_other_image_sizes_are_the_same_images():
    assert why(entry("a"), replace(entry("b", dataset_options={"image_size": 64}), digest="cd" * 32)) == ""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset": "other"}, "different datasets: faces and other"),
        ({"dataset_options": {"image_size": 8, "classes": 8}}, "different images: the dataset's classes differs"),
        ({"protocol": replace(KFOLD, folds=5)}, "different splits: folds 3 against 5"),
        ({"protocol": replace(KFOLD, split_seed=1)}, "different splits: split_seed 42 against 1"),
        ({"limit": 1000}, "different images: all images against 1,000 images"),
        (
            {"matrix": ((5, 0, 0), (0, 5, 0), (0, 0, 6))},
            "different validation images: the classes or their counts differ",
        ),
    ],
)
def test_why_rounds_are_no_pairs(changes, reason):
    assert why(entry("a"), entry("b", **changes)) == reason


def test_changed_files_are_no_pairs():
    assert "different content digests" in why(entry("a"), replace(entry("b"), digest="cd" * 32))


def test_single_runs_and_few_rounds_are_not_tested():
    once = Protocol("official")
    assert "trained only once" in why(entry("a", (0.5,), protocol=once), entry("b", (0.6,), protocol=once))
    twice = Protocol("official", repeats=2)
    pairs = comparison(entry("a", (0.5, 0.6), protocol=twice), entry("b", (0.6, 0.6), protocol=twice))
    tested, untested = paired_tests.tests(pairs, F1)
    assert not tested
    assert untested[0].why == "2 rounds in common with a value of F1 macro; a paired test needs at least 3"


def test_repeats_of_one_split_have_no_corrected_test():
    repeats = Protocol("official", repeats=3)
    pairs = comparison(entry("a", protocol=repeats), entry("b", (0.4, 0.5, 0.5), protocol=repeats))
    tested, _ = paired_tests.tests(pairs, F1)
    assert math.isnan(tested[0].result.corrected)
    assert paired_tests.overlap(entry("a")) == 0.5


def test_holm_counts_every_pair():
    three = comparison(entry("a"), entry("b", (0.4, 0.5, 0.5)), entry("c", (0.1, 0.3, 0.2)))
    tested, _ = paired_tests.tests(three, F1)
    smallest = min(tested, key=lambda test: test.result.p)
    assert smallest.holm == pytest.approx(3 * smallest.result.p)


def test_groups_and_the_warning_about_other_images():
    mixed = comparison(
        entry("a"), entry("b"), entry("c", matrix=((1, 0), (0, 1))), entry("d", protocol=replace(KFOLD, split_seed=7))
    )
    assert [[one.label for one in group] for group in mixed.groups] == [["a", "b"], ["c"], ["d"]]
    warning = prose.warnings(mixed)[0]
    assert warning.startswith("Not comparable: n, classes or split differ on faces: a, b (3 classes, 15 validation")
    assert "c (3 classes, 2 validation images" in warning
    assert "seed 7" in warning


def test_other_warnings():
    odd = comparison(
        entry("a"),
        entry("b", objectives=(Objective("accuracy", "max"),)),
        entry("c", (0.1, 0.1, 0.1)),
        entry("d", (0.5,)),
    )
    lines = prose.warnings(odd)
    assert "Trials and epochs were selected by different objectives: a by f1_macro:max; b by accuracy:max." in lines
    assert "Trial 0 of c is no better than always predicting the largest class." in lines
    assert any("their standard deviations are not over equally many" in line for line in lines)


def test_a_grid_by_model_and_dataset():
    result = compare_grid.grid(grid().entries)
    assert result is not None
    assert (result.models, result.datasets, result.whole) == (("cnn", "vgg"), ("a", "b"), True)
    table = compare_grid.matrix(result, F1)
    assert table.columns == ["Model", "a", "b", "Average"]
    assert table.rows[0][1] == Spread(pytest.approx(0.6), pytest.approx(0.1))
    assert table.rows[0][3] == pytest.approx((0.6 + 1 / 3) / 2)
    assert table.marked == {(1, 1), (0, 2), (0, 3)}
    assert compare_grid.times(result).rows[0][1] == "20 ± 10"


def test_a_hole_in_the_grid_leaves_no_average():
    result = compare_grid.grid(grid().entries[:3])
    assert result is not None
    assert not result.whole
    table = compare_grid.matrix(result, F1)
    assert table.rows[1][2:] == [None, None]


def test_studies_of_one_model_and_dataset_form_a_grid_by_their_names_alone():
    named = [entry(f"g/{model}/{data}") for model in ("x", "y") for data in ("p", "q")]
    assert compare_grid.grid(named).models == ("x", "y")  # type: ignore[union-attr]
    assert compare_grid.grid([entry("a"), entry("b")]) is None


def test_datasets_with_other_options_are_reported_apart():
    result = compare_grid.grid(
        [entry(f"{m}{o}", architecture=m, dataset_options={"classes": o}) for m in ("cnn", "vgg") for o in (8, 10)]
    )
    assert result is not None
    assert result.datasets == ("faces (classes=8)", "faces (classes=10)")


def test_classes_recall_and_what_they_are_called():
    matrix = ((4, 1, 0), (3, 1, 1), (0, 0, 0))
    assert tables.mostly_called(matrix) == [0, 0, None]
    assert tables.detection_rate(matrix) == 0.5
    first, second = tables.recalls(matrix)[:2]
    assert (first, second) == (0.8, 0.2)
    table = tables.table(["x", "y", "z"], [entry("a", (0.5,), matrix)])
    assert table.columns == ["Class", "a: recall", "a: predicted"]
    assert table.rows[1] == ["y", 0.2, "x"]
    assert table.rows[3][1] == 0.5
    assert table.rows[4][1] == 0.5
    assert table.marked == {(0, 2)}


def test_entries_with_other_classes_have_tables_of_their_own():
    mixed = comparison(entry("a"), replace(entry("b"), classes=("x", "y", "z")))
    assert [names for names, _ in tables.by_classes(mixed)] == [["anger", "joy", "fear"], ["x", "y", "z"]]


def test_results_mark_the_best_of_each_group():
    mixed = comparison(entry("a"), entry("b", (0.1, 0.1, 0.2)), entry("c", limit=5))
    table = tables.results(mixed, mixed.metrics)
    assert table.marked == {(0, 1), (0, 2)}


def test_winners_tell_ties_noise_and_tests():
    pair = comparison(entry("a"), entry("b", (0.4, 0.5, 0.5)))
    table = tables.winners(pair, {"f1_macro": paired_tests.tests(pair, F1)[0]})
    verdicts = {str(row[1]): row[6] for row in table.rows}
    assert verdicts["F1 macro ↑"] == f"not significant, p = {paired_tests.tests(pair, F1)[0][0].holm:.3f}"
    assert verdicts["accuracy ↑"] is None
    assert verdicts["train seconds (s) ↓"] == "equal"


def test_narrative_names_the_best_and_the_cheap():
    pair = comparison(entry("a"), entry("b", (0.4, 0.5, 0.5)))
    lines = prose.narrative(pair, paired_tests.tests(pair, F1)[0])
    assert lines[0].startswith("On faces, of 2: best F1 macro a (0.60 ± 0.10), best accuracy a (0.70 ± 0.10)")
    assert "lowest peak memory (MB) a (50.00 ± 0, about as b)" in lines[0]
    assert (
        lines[1]
        == "Of 1 pair tested over the same rounds, none differs significantly in F1 macro (level 0.05, Holm-corrected)."
    )
    apart = comparison(entry("a"), entry("b", dataset="other"))
    assert prose.narrative(apart, [])[0].startswith("No two entries were evaluated on the same images")


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        (KFOLD, "3 folds by subject or class, seed 42"),
        (Protocol("official"), "official split"),
        (Protocol("ratios", (0.6, 0.2, 0.2), by="class", repeats=5), "60/20/20 stratified, seed 42, 5 repeats"),
        (Protocol("loso", duplicates="drop"), "one subject left out, duplicates dropped"),
    ],
)
def test_protocols_in_a_line(protocol, message):
    assert prose.protocol(entry("a", protocol=protocol)) == message


def test_the_whole_page_of_a_grid_and_of_a_list():
    with style.styled():
        page = compare_page.comparison(grid())
        flat = compare_page.comparison(comparison(entry("a"), entry("b", (0.4, 0.5, 0.5))))
        single = compare_page.comparison(comparison(entry("a", (0.5,), protocol=Protocol("official"))))
    names = {plot.name for plot in page.plots()}
    assert {"grid-f1_macro", "grid-train_seconds", "averages", "differences"} <= names
    assert {"scores", "train_seconds", "class-recall", "rounds"} <= {plot.name for plot in flat.plots()}
    assert len({table.name for table in page.tables()}) == len(page.tables())
    assert single.title == "Comparison of a"
