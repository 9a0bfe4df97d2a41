"""A changed spec: what may change, what it says of the changes, and every mistake at once."""

from dataclasses import replace

import pytest

from fersearch import registry
from fersearch.errors import UnknownName, UsageError
from fersearch.planning.extending import extended
from fersearch.planning.plan import plan
from fersearch.planning.request import StudyRequest
from fersearch.registry import Registry
from fersearch.space import Choice, Float, describe
from fersearch.study import StudySpec

OBJECTIVES = ("f1_macro", "cpu_seconds", "peak_memory_mb")


@pytest.fixture(scope="module")
def components() -> Registry:
    return registry.load()


@pytest.fixture(scope="module")
def spec(components: Registry) -> StudySpec:
    settings = {"optimizer": "adam,adamw", "learning_rate": "0.001..0.01", "dropout": "0.1"}
    return plan(StudyRequest("cnn", "faces", settings=settings, trials=10, objectives=OBJECTIVES), components)


def changes(spec: StudySpec) -> list[str]:
    return [str(change) for change in spec.changes]


def test_a_dimension_may_become_wider_and_brings_dimensions_that_apply_now(
    spec: StudySpec, components: Registry
) -> None:
    after = extended(spec, components, 7, settings={"optimizer": "adam,sgd", "learning_rate": "0.0001..0.1"})
    assert after.space["learning_rate"] == Float(0.0001, 0.1, log=True)
    assert (after.space["optimizer"], describe(after.space["momentum"])) == (Choice("adam", "sgd"), "0.8..0.98")
    assert after.space["dropout"] == spec.space["dropout"]
    assert changes(after) == [
        "optimizer: adam, adamw became adam, sgd",
        "learning_rate: 0.001..0.01 (log) became 0.0001..0.1 (log)",
        "momentum: nothing became 0.8..0.98",
        "nesterov: nothing became false, true",
    ]
    assert {change.trials for change in after.changes} == {7}
    assert StudySpec.from_json(after.to_json()) == after


def test_a_study_of_several_architectures_knows_their_own_by_either_name(components: Registry) -> None:
    spec = plan(StudyRequest("cnn,sanet", "faces", one_study=True), components)
    after = extended(spec, components, 0, settings={"width": "1,2", "cnn.convolutions": "1"})
    assert (after.space["cnn.width"].when, after.space["cnn.convolutions"]) == (
        {"architecture": ("cnn",)},
        Choice(1, when={"architecture": ("cnn",)}),
    )
    with pytest.raises(UsageError, match="architectures have it, each its own"):
        extended(spec, components, 0, settings={"freeze": "none"})


def test_what_never_applies_any_more_goes(spec: StudySpec, components: Registry) -> None:
    wide = extended(spec, components, 0, settings={"optimizer": "adam,sgd"})
    narrow = extended(wide, components, 3, settings={"optimizer": "adam"})
    assert "momentum" not in narrow.space
    assert "momentum: 0.8..0.98 became nothing" in changes(narrow)
    assert narrow.changes[: len(wide.changes)] == wide.changes


def test_budget_and_objectives(spec: StudySpec, components: Registry) -> None:
    wanted = ["accuracy", "parameters:min"]
    after = extended(spec, components, 10, trials=30, timeout=60, objectives=wanted, stop_when_flat=5)
    assert (after.budget.trials, after.budget.timeout, after.space) == (30, 60, spec.space)
    assert changes(after) == [
        "trials: 10 became 30",
        "objectives: f1_macro:max, cpu_seconds:min, peak_memory_mb:min became accuracy:max, parameters:min",
        "timeout: nothing became 60 s",
        "stop_when_flat: nothing became 5",
    ]


def test_every_mistake_is_reported_at_once(spec: StudySpec, components: Registry) -> None:
    with pytest.raises(UsageError, match="3 mistakes") as caught:
        extended(spec, components, 0, trials=0, settings={"dropout": "2"}, objectives=["f1_makro"])
    for line in ("trials: trials 0 is too small", "space.dropout: 2 is not offered", "unknown metric 'f1_makro'"):
        assert line in caught.value.hint
    with pytest.raises(UnknownName, match="unknown parameter 'droput'"):
        extended(spec, components, 0, settings={"droput": "0"})


@pytest.mark.parametrize("change", [{}, {"trials": 10}, {"settings": {"dropout": "0.1"}}])
def test_a_change_that_changes_nothing_is_refused(spec: StudySpec, components: Registry, change: dict) -> None:
    with pytest.raises(UsageError, match=f"nothing changes in study '{spec.name}'"):
        extended(spec, components, 0, **change)


def test_a_finite_sampler_needs_a_finite_space(spec: StudySpec, components: Registry) -> None:
    grid = replace(spec, sampler="grid", space=spec.space.pinned(next(spec.space.configurations())))
    with pytest.raises(UsageError, match="sampler 'grid' needs finite parameters"):
        extended(grid, components, 0, settings={"learning_rate": "0.001..0.1"})
