"""Bounds of a study while it searches: what they stop, what the sampler and the budget make of it, and the end."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch.search import Search
from fersearch.search.bounds import MAX_IN_A_ROW, broken, excesses, nearest, sampler_excesses, with_latency_margin
from fersearch.search.optuna_sampler import OptunaSampler
from fersearch.study import Change, Constraint, Protocol
from fersearch.trial import Attempt, Decision, Epoch, Outcome, Reason, Trial, TrialState
from tests.search.fakes import METRICS, Rows, make_search, make_spec, run_trial

SMALL = (Constraint("parameters", "<=", 1000),)
SHORT = (Constraint("train_seconds", "<=", 40),)


def refuse(search: Search, trial: Trial, parameters: float = 2000) -> Trial:
    """End a trial as its process does that breaks a bound before training."""
    facts = {"measured": {"parameters": parameters}}
    message = f"parameters {parameters:g} breaks parameters<=1000"
    return search.finish(trial.number, Outcome(Reason.INFEASIBLE, message, facts=facts), 0.1)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.sampled_from(["<=", ">="]))
def test_an_excess_is_positive_where_a_bound_is_broken(value: float, bound: float, op: Any) -> None:
    constraint = Constraint("m", op, bound)
    (excess,) = excesses((constraint,), {"m": value}).values()
    assert (excess > 0) == (not constraint.holds({"m": value}))


def test_an_undefined_value_breaks_every_bound_and_an_unknown_one_none() -> None:
    assert excesses(SMALL, {"parameters": math.nan}) == {"parameters<=1000": math.inf}
    assert (excesses(SMALL, {}), broken(SMALL, {})) == ({}, "")


@pytest.mark.parametrize(
    ("text", "latency", "value"),
    [("latency_ms<=5", 4, 4), ("latency_ms<=5", 9, 5), ("latency_ms<=5", 11, 11), ("latency_ms>=5", 3, 5)],
)
def test_a_bound_broken_by_a_rough_latency_within_the_margin_counts_as_satisfied(
    text: str, latency: float, value: float
) -> None:
    where = (Constraint("parameters", "<=", 1), Constraint.parse(text))
    rough = Trial(1, {}, TrialState.COMPLETE, {"latency_ms": latency, "parameters": 2.0})
    assert with_latency_margin(rough, where).values == {"latency_ms": value, "parameters": 2.0}
    facts = {"latency": {"alone": True}}
    alone = replace(rough, attempts=(Attempt(1, Reason.DONE, facts=facts),))
    again = replace(rough, values={**rough.values, "rough_latency_ms": 1.0})
    assert with_latency_margin(alone, where) is alone
    assert with_latency_margin(again, where) is again


def test_trials_that_break_a_bound_before_training_do_not_count() -> None:
    rows, spec = Rows(), make_spec("tpe", trials=3, where=SMALL)
    search = make_search(spec, rows)
    for _ in range(4):
        ended = refuse(search, search.ask())
        assert (ended.state, ended.values) == (TrialState.INFEASIBLE, {"parameters": 2000})
    for _ in range(2):
        run_trial(search, search.ask())
    again = make_search(spec, rows)
    assert not again.done
    run_trial(again, again.ask())
    assert again.ask() is None
    assert again.done
    assert len(again.trials) == 7


def test_without_bounds_the_budget_counts_every_ended_trial() -> None:
    search = make_search(make_spec(trials=1))
    refuse(search, search.ask())
    assert search.done


@pytest.mark.parametrize(("trials", "most"), [(1000, MAX_IN_A_ROW), (2, 20)])
def test_a_search_gives_up_and_names_the_nearest(trials: int, most: int) -> None:
    notes: list[str] = []
    search = make_search(make_spec(trials=trials, where=SMALL), note=notes.append)
    for place in range(most):
        assert not search.done
        refuse(search, search.ask(), 3000 - place)
    assert search.ask() is None
    assert search.done
    (note,) = notes
    assert f"{most} trials broke a bound before training; trial {most - 1} came nearest" in note


def test_a_search_that_gave_up_stays_so_when_it_goes_on() -> None:
    rows, spec = Rows(), make_spec(trials=2, where=SMALL)
    search = make_search(spec, rows)
    for _ in range(20):
        refuse(search, search.ask())
    assert make_search(spec, rows).done


def test_a_search_that_gave_up_goes_on_once_its_study_was_changed() -> None:
    rows, spec = Rows(), make_spec(trials=2, where=SMALL)
    search = make_search(spec, rows)
    for _ in range(20):
        refuse(search, search.ask())
    changed = replace(spec, changes=(Change("2026-11-28T07:00:00+00:00", 20, "learning_rate", "0.1", "0.01..0.1"),))
    again = make_search(changed, rows)
    assert not again.done
    for _ in range(19):
        refuse(again, again.ask())
    assert not again.done
    refuse(again, again.ask())
    assert again.done
    assert again.end_reason.startswith("40 trials broke a bound before training")


def test_the_nearest_breaks_its_bounds_the_least() -> None:
    trials = [
        Trial(number, {}, TrialState.INFEASIBLE, values={"parameters": value})
        for number, value in enumerate((5000.0, 1200.0, 1500.0))
    ]
    unknown = Trial(3, {}, TrialState.INFEASIBLE)
    assert nearest(SMALL, [*trials, unknown]) == trials[1]
    assert nearest(SMALL, [unknown]) is None


@pytest.mark.parametrize(("seconds", "decision"), [(5.1, Decision.STOP), (4.9, Decision.CONTINUE)])
def test_costs_are_projected_at_rungs(seconds: float, decision: Decision) -> None:
    search = make_search(make_spec(pruner="pareto", where=SHORT))
    trial = search.ask()
    values = {"f1_macro": 0.5, "train_seconds": seconds, "peak_memory_mb": 1.0}
    assert search.record(trial.number, Epoch(1, values, seconds)) is decision
    if decision is Decision.STOP:
        stopped = search.finish(trial.number, Outcome(Reason.PRUNED), 1.0)
        assert "train_seconds 40.8 breaks train_seconds<=40" in stopped.verdict["reason"]


def test_a_stopped_trial_counts_with_its_costs_at_the_end_and_not_with_its_quality_so_far() -> None:
    bounds = (*SHORT, Constraint("f1_macro", ">=", 0.9))
    spec = make_spec(where=bounds)
    values = {"f1_macro": 0.1, "train_seconds": 20.0}
    stopped = Trial(0, {"epochs": 8}, TrialState.PRUNED, values=values, epochs=2)
    assert sampler_excesses(stopped, spec, METRICS) == {"train_seconds<=40": 1.0}
    whole = replace(stopped, state=TrialState.COMPLETE, epochs=8)
    assert sampler_excesses(whole, spec, METRICS) == {"train_seconds<=40": -0.5, "f1_macro>=0.9": pytest.approx(8 / 9)}
    assert sampler_excesses(replace(stopped, state=TrialState.FAILED), spec, METRICS) == {}


@pytest.mark.parametrize(("excess", "state"), [(0.5, "PRUNED"), (-0.5, "FAIL")])
def test_only_a_broken_bound_tells_the_sampler_where_not_to_go(excess: float, state: str) -> None:
    """A trial without values that broke no bound is a failure; restored from its row as well."""
    values = {"parameters": 1000 * (1 + excess)}
    for restored in (False, True):
        infeasible = Trial(0, {"epochs": 8}, TrialState.INFEASIBLE, values=values)
        sampler = OptunaSampler(
            make_spec("tpe", where=SMALL),
            [infeasible if restored else replace(infeasible, state=TrialState.RUNNING)],
            lambda _: None,
            excesses_of=lambda trial: excesses(SMALL, trial.values) if trial.state.ended else {},
        )
        if not restored:
            sampler.tell(0, None, excesses(SMALL, values))
        (stored,) = sampler._study.get_trials(deepcopy=False)
        assert stored.state.name == state


def test_costs_of_whole_rounds_are_compared_as_they_are() -> None:
    spec = make_spec(pruner="pareto", where=SHORT, protocol=Protocol("kfold", folds=3))
    search = make_search(spec, rounds=3)
    trial = search.ask()
    values = {"f1_macro": 0.5, "train_seconds": 39.0, "peak_memory_mb": 1.0}
    assert search.record(trial.number, Epoch(1, values, 39.0, round=1, last=True)) is Decision.CONTINUE
    later = Epoch(2, {**values, "train_seconds": 45.0}, 45.0, round=2, last=True)
    assert search.record(trial.number, later) is Decision.STOP


def test_the_front_holds_what_keeps_every_bound() -> None:
    search = make_search(make_spec(where=(Constraint("peak_memory_mb", "<=", 275),)))
    for _ in range(20):
        run_trial(search, search.ask())
    front = search.front()
    assert front
    assert all(trial.values["peak_memory_mb"] <= 275 for trial in front)
    assert any(trial.values["peak_memory_mb"] > 275 for trial in search.trials)


def test_the_sampler_learns_where_not_to_go_and_goes_on_the_same_after_a_restart() -> None:
    """Trials of a small width are refused: later proposals avoid them, restarted or not."""
    rows, spec = Rows(), make_spec("tpe", where=SMALL)
    search = make_search(spec, rows)
    widths = []
    for place in range(60):
        if place == 30:
            search = make_search(spec, rows)
        trial = search.ask()
        widths.append(trial.params["width"])
        if trial.params["width"] > 12:
            refuse(search, trial, 100.0 * trial.params["width"])
        else:
            run_trial(search, trial)
    straight = make_search(replace(spec))
    tried = []
    for _ in range(60):
        trial = straight.ask()
        tried.append(trial.params["width"])
        refuse(straight, trial, 100.0 * trial.params["width"]) if trial.params["width"] > 12 else run_trial(
            straight, trial
        )
    assert tried == widths
    assert sum(width > 12 for width in widths[30:]) < sum(width > 12 for width in widths[:30])
