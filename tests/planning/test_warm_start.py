"""What a study takes over from another one: only what lies in its own space, and what is refused."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fersearch.errors import UsageError
from fersearch.planning.warm_start import started_from
from fersearch.space import Choice, Float, Int, Space
from fersearch.store import StudyRow
from fersearch.study import Origin
from fersearch.trial import Trial, TrialState
from tests.search.fakes import METRICS, OBJECTIVES, SPACE, make_spec

SPEC = make_spec("tpe")
SOURCE = StudyRow(1, "old", SPEC, datetime.now(UTC), (), {"f1_macro": 0.05}, 0.0, data={"seen": {"digest": "ab" * 32}})
SGD = {
    "epochs": 8,
    "optimizer": "sgd",
    "learning_rate": 0.01,
    "momentum": 0.9,
    "nesterov": True,
    "width": 8,
    "batch_size": 32,
}
ADAM = {"epochs": 8, "optimizer": "adam", "learning_rate": 0.05, "width": 16, "batch_size": 64}


def trial(number: int, params: dict, f1: float, seconds: float = 5.0, **options: object) -> Trial:
    values = {"f1_macro": f1, "train_seconds": seconds, "peak_memory_mb": 100.0}
    return Trial(number, params, TrialState.COMPLETE, values, **options)


TRIALS = [
    trial(0, SGD, 0.5),
    trial(1, ADAM, 0.6, 9.0),
    trial(2, {**ADAM, "width": 4}, 0.4, 9.5),
    replace(trial(3, {**ADAM, "width": 32}, 0.1, 2.0), state=TrialState.PRUNED, epochs=2),
    replace(trial(4, {**ADAM, "width": 33}, 0.9), state=TrialState.FAILED),
    trial(5, {**ADAM, "width": 34}, math.nan),
]


def test_the_front_is_enqueued_and_all_that_ended_well_is_known() -> None:
    spec, start = started_from(SPEC, SOURCE, TRIALS, METRICS)
    assert spec == replace(SPEC, origin=Origin("old", "ab" * 32, 4, 2))
    searched = [{name: value for name, value in params.items() if name != "epochs"} for params in (ADAM, SGD)]
    assert [(one.given, one.source) for one in start.enqueued] == [
        (searched[0], "old trial 1"),
        (searched[1], "old trial 0"),
    ]
    assert [one.number for one in start.prior] == [0, 1, 2, 3]
    assert start.prior[3].values["train_seconds"] == 8.0  # projected from 2 epochs to 8
    assert {one.state for one in start.prior} == {TrialState.COMPLETE}


def test_what_lies_outside_the_new_space_is_left_out() -> None:
    narrow = Space({**SPACE.dimensions, "learning_rate": Float(0.03, 0.1, log=True), "dropout": Float(0.0, 0.5)})
    _, start = started_from(replace(SPEC, space=narrow), SOURCE, TRIALS, METRICS)
    assert [one.number for one in start.prior] == [1, 2, 3]
    fixed = Space({**SPACE.dimensions, "optimizer": Choice("sgd")})
    _, start = started_from(replace(SPEC, space=fixed), SOURCE, TRIALS, METRICS)
    assert [one.params["momentum"] for one in start.prior] == [0.9]
    assert "optimizer" not in start.prior[0].params


@pytest.mark.parametrize(("sampler", "known"), [("tpe", 4), ("gp", 3), ("nsga2", 0), ("random", 0)])
def test_only_what_a_sampler_learns_from_is_known_to_it(sampler: str, known: int) -> None:
    partial = replace(TRIALS[0], params={name: value for name, value in SGD.items() if name != "width"})
    spec, start = started_from(replace(SPEC, sampler=sampler), SOURCE, [partial, *TRIALS[1:]], METRICS)
    assert (len(start.prior), spec.origin.trials, len(start.enqueued)) == (known, known, 2)


def test_what_both_fix_may_differ() -> None:
    longer = Space({**SPACE.dimensions, "epochs": Choice(20)})
    _, start = started_from(replace(SPEC, space=longer), SOURCE, TRIALS, METRICS)
    assert [one.number for one in start.prior] == [0, 1, 2, 3]


def test_trials_of_other_data_than_the_sources_now_are_left_out() -> None:
    old = [replace(one, data_digest="cd" * 32) for one in TRIALS[:1]]
    _, start = started_from(SPEC, SOURCE, [*old, *TRIALS[1:]], METRICS)
    assert [one.number for one in start.prior] == [1, 2, 3]


@pytest.mark.parametrize(
    ("changes", "trials", "message"),
    [
        (
            {"space": Space({"depth": Int(1, 4)})},
            TRIALS,
            "no parameter in common with this one\n  this one searches depth",
        ),
        (
            {"space": Space({"width": Choice(8)})},
            TRIALS,
            "no parameter in common with this one\n  this one searches none",
        ),
        ({}, [], "no trial to start from"),
        ({"space": Space({**SPACE.dimensions, "width": Int(60, 64)})}, TRIALS, "no trial to start from"),
        ({"objectives": (replace(OBJECTIVES[0], metric="auc"),)}, TRIALS, "no trial to start from"),
    ],
)
def test_a_study_with_nothing_to_take_over_is_refused(changes: dict, trials: list[Trial], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        started_from(replace(SPEC, **changes), SOURCE, trials, METRICS)
    assert message in str(caught.value)


def several(*architectures: str) -> Space:
    own = {f"{name}.width": replace(Int(4, 32, log=True), when={"architecture": (name,)}) for name in architectures}
    shared = {name: dimension for name, dimension in SPACE.dimensions.items() if name != "width"}
    return Space({"architecture": Choice(*architectures), **shared, **own})


def test_a_study_of_one_architecture_starts_one_over_several_under_its_name_there() -> None:
    both = replace(SPEC, architecture=f"zoo:other,{SPEC.architecture}", one_study=True)
    both = replace(both, space=several("zoo:other", SPEC.architecture))
    _, start = started_from(both, SOURCE, TRIALS[:2], METRICS)
    assert [one.params["architecture"] for one in start.prior] == [SPEC.architecture] * 2
    assert [one.params[f"{SPEC.architecture}.width"] for one in start.prior] == [8, 16]
    assert all("width" not in one.params for one in start.prior)
    stranger = replace(SOURCE, spec=replace(SPEC, architecture="third"))
    _, start = started_from(both, stranger, TRIALS[:2], METRICS)
    assert all({"architecture", f"{SPEC.architecture}.width"}.isdisjoint(one.params) for one in start.prior)


def test_a_study_over_several_starts_one_of_them_without_prefixes() -> None:
    name = SPEC.architecture
    both = replace(SPEC, architecture=f"{name},zoo:other", one_study=True, space=several(name, "zoo:other"))
    shared = {key: value for key, value in ADAM.items() if key != "width"}
    trials = [
        trial(0, {**shared, "architecture": name, f"{name}.width": 16}, 0.5),
        trial(1, {**shared, "architecture": "zoo:other", "zoo:other.width": 8}, 0.6),
    ]
    source = replace(SOURCE, spec=both)
    _, start = started_from(SPEC, source, trials, METRICS)
    assert start.prior[0].params["width"] == 16
    _, again = started_from(both, source, trials, METRICS)
    assert [one.params["architecture"] for one in again.prior] == [name, "zoo:other"]
    assert again.prior[1].params["zoo:other.width"] == 8
