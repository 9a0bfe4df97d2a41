"""Fronts of studies at a fixed width."""

from dataclasses import replace

from fersearch.api.studies import StudyView
from fersearch.cli import render
from fersearch.study import Constraint
from fersearch.study_front import Front
from tests.cli.fakes import CREATED, OBJECTIVES, SPEC, lines, text, trial


def test_the_front_marks_ties_and_tells_the_baseline():
    best = trial(0, 0.61, 12.3, 45.6)
    members = [replace(best, values={**best.values, "f1_macro_se": 0.02}), trial(2, 0.60, 12.0, 40.1)]
    front = Front("cnn-faces", members, OBJECTIVES, {"f1_macro": 0.018, "accuracy": 0.1})
    assert text(render.front(front), 80) == lines(
        "Pareto front of cnn-faces: 2 trials",
        "trial  f1_macro ↑  train_seconds ↓  peak_memory_mb ↓  epochs  pick",
        "    0       0.610            ≈12.3              45.6      12  best, cheapest",
        "       learning_rate=0.01",
        "    2       0.600            ≈12.0              40.1      12  knee",
        "       learning_rate=0.03",
        "≈ within 5% of another trial here: equal within the accuracy of the measurement",
        "baseline, always the largest class: f1_macro 0.018",
        "cheapest: least train_seconds (equal within 5 %) within one standard error of",
        "the best f1_macro; knee: nearest to the best of all objectives, with",
        "f1_macro>=0.549 (0.9*best)",
    )


def test_the_front_marks_no_ties_where_repeats_show_that_costs_differ_less():
    members = [trial(0, 0.61, 12.3, 45.6), trial(2, 0.60, 12.0, 44.9)]
    tolerances = {"train_seconds": 0.01, "peak_memory_mb": 0.02}
    printed = text(render.front(Front("cnn-faces", members, OBJECTIVES, {}, tolerances=tolerances)), 80)
    assert "≈12" not in printed
    assert "≈45.6" in printed
    assert "≈ within 2% of another trial here" in printed


def test_the_front_shows_the_interval_of_the_first_objective_where_it_is_known():
    sure = trial(1, 0.6, 8.0, 20.0)
    sure = replace(sure, values={**sure.values, "f1_macro_ci_low": 0.57, "f1_macro_ci_high": 0.63})
    members = [sure, trial(2, 0.55, 5.0, 40.1)]
    printed = text(render.front(Front("cnn-faces", members, OBJECTIVES, {})), 110).splitlines()
    assert printed[1].split("  ")[:3] == ["trial", "f1_macro ↑", " 95 % interval"]
    assert "0.600  0.570 to 0.630" in printed[2]
    assert "0.550               -" in "\n".join(printed[3:])


def test_the_front_shows_what_was_timed_alone_beside_what_was_searched():
    timed = trial(0, 0.61, 12.3, 45.6)
    timed = replace(timed, values={**timed.values, "exclusive_train_seconds": 7.25})
    front = Front("cnn-faces", [timed, trial(2, 0.60, 8.0, 40.1)], OBJECTIVES, {})
    assert text(render.front(front), 110).startswith(
        lines(
            "Pareto front of cnn-faces: 2 trials",
            "trial  f1_macro ↑  train_seconds ↓  peak_memory_mb ↓  train_seconds alone  epochs  pick",
            "    0       0.610             12.3              45.6                 7.25      12  best, cheapest",
            "       learning_rate=0.01",
            "    2       0.600             8.00              40.1                    -      12  knee",
            "       learning_rate=0.03",
        )
    )


def test_a_study_says_that_its_times_were_measured_beside_others():
    view = StudyView("cnn-faces", SPEC, CREATED, {}, "sqlite:///x.db", [], {}, 95.0, [], "each trial had its own")
    assert "timing         each trial had its own" in text(render.study(view)).splitlines()
    view = replace(view, timing="")
    assert "timing" not in text(render.study(view))


def test_a_front_that_no_trial_within_the_bounds_is_on_names_the_bounds():
    bounds = (Constraint("peak_memory_mb", "<=", 1.0), Constraint("parameters", "<=", 5.0))
    shown = text(render.front(Front("cnn-faces", [], OBJECTIVES, {}, constraints=bounds)))
    assert " ".join(shown.split()) == (
        "the front of cnn-faces is empty: no complete trial that keeps peak_memory_mb<=1 and parameters<=5 is better "
        "than the baseline"
    )


def test_an_empty_front_says_why():
    assert text(render.front(Front("cnn-faces", [], OBJECTIVES, {"f1_macro": 0.018}))) == lines(
        "the front of cnn-faces is empty: no complete trial is better than the baseline",
        "baseline, always the largest class: f1_macro 0.018",
    )
