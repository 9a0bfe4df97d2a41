"""The records of a study's request."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch.errors import UsageError
from fersearch.space import Choice, Float, Int, Space
from fersearch.study import Budget, Constraint, Keep, Objective, Protocol, StudySpec

SPACE = Space(
    {
        "epochs": Int(1, 5),
        "learning_rate": Float(1e-3, 1.0, log=True),
        "flip": Choice(True, False, when={"epochs": (5,)}),
    }
)
FULL = StudySpec(
    name="s",
    architecture="cnn",
    dataset="ferplus",
    objectives=(Objective("f1_macro", "max"), Objective("train_seconds", "min")),
    space=SPACE,
    data="/faces",
    dataset_options={"classes": 8, "clean": True},
    budget=Budget(7, 60.0),
    protocol=Protocol("ratios", (0.6, 0.2, 0.2), 1),
    sampler="grid",
    pruner="none",
    seed=5,
    limit=100,
    weights="torchvision",
    precision="bf16",
    memory_format="channels_last",
    keep=Keep("best", 5),
    where=(Constraint("gflops", "<=", 0.1),),
    recipes="known",
    rules=1,
)
PLAIN = StudySpec("s", "cnn", "faces", (Objective("f1_macro", "max"),), Space({}))


@pytest.mark.parametrize("spec", [FULL, PLAIN])
def test_a_spec_survives_the_store(spec: StudySpec) -> None:
    assert StudySpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_study_of_an_earlier_version_goes_on_as_it_began() -> None:
    stored = PLAIN.to_json()
    assert [stored.pop(name) for name in ("memory_format", "recipes", "rules", "where")] == ["auto", "auto", 2, ()]
    earlier = StudySpec.from_json(stored)
    assert (earlier.memory_format, earlier.recipes, earlier.rules, earlier.where) == ("contiguous", "none", 1, ())


def test_an_objective_is_a_loss_in_its_direction() -> None:
    assert Objective("f1_macro", "max").loss(0.7) == -0.7
    assert Objective("train_seconds", "min").loss(9.0) == 9.0
    assert str(Objective("f1_macro", "max")) == "f1_macro:max"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("peak_memory_mb<=500", Constraint("peak_memory_mb", "<=", 500.0)),
        (" f1_macro >= 0.5 ", Constraint("f1_macro", ">=", 0.5)),
        ("log_loss<=-1.5e-3", Constraint("log_loss", "<=", -0.0015)),
    ],
)
def test_a_constraint_is_read_as_it_is_written(text: str, expected: Constraint) -> None:
    assert Constraint.parse(text) == expected


@given(st.sampled_from(["f1_macro", "train_seconds", "m2"]), st.sampled_from(["<=", ">="]), st.integers(-999, 999))
def test_a_constraint_that_is_printed_is_read_again(metric: str, op: str, bound: int) -> None:
    constraint = Constraint(metric, op, float(bound))
    assert Constraint.parse(str(constraint)) == constraint


@pytest.mark.parametrize("text", ["", "f1_macro", "f1_macro<0.5", "f1_macro==1", "<=5", "a<=b", "a<=1-2", "a<=5 MB"])
def test_what_is_no_constraint_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Constraint.parse(text)
    assert caught.value.message == f"'{text}' is not a constraint"
    assert "peak_memory_mb<=500" in caught.value.hint


def test_a_constraint_holds_within_its_bound_and_never_without_the_metric() -> None:
    upper, lower = Constraint("m", "<=", 5.0), Constraint("m", ">=", 5.0)
    assert [upper.holds({"m": value}) for value in (4.0, 5.0, 6.0)] == [True, True, False]
    assert [lower.holds({"m": value}) for value in (4.0, 5.0, 6.0)] == [False, True, True]
    assert not upper.holds({})
    assert not upper.holds({"m": float("nan")})


def test_a_keep_policy_tells_what_it_keeps() -> None:
    assert Keep("best", 1).description == "the best checkpoint (keep = best 1)"
    assert Keep("best", 5).description == "the best 5 checkpoints (keep = best 5)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("front", Keep()),
        (" all ", Keep("all")),
        ("best 5", Keep("best", 5)),
        ("best:5", Keep("best", 5)),
        ("best: 12", Keep("best", 12)),
    ],
)
def test_a_keep_policy_is_read_as_it_is_written(text: str, expected: Keep) -> None:
    assert Keep.parse(text) == expected
    assert Keep.parse(str(expected)) == expected


@pytest.mark.parametrize("text", ["", "best", "best 0", "best5", "best -1", "none", "fronts"])
def test_an_invalid_keep_policy_is_refused_with_the_valid_ones(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        Keep.parse(text)
    assert str(caught.value) == (
        f"'{text}' does not say which checkpoints to keep\n  write front, all, or best N, as best:5"
    )


def test_a_policy_says_what_it_keeps() -> None:
    assert Keep().description == "the checkpoints of the front (keep = front)"
    assert Keep("all").description == "every checkpoint (keep = all)"
    assert Keep("best", 3).description == "the best 3 checkpoints (keep = best 3)"


def test_a_spec_that_does_not_say_what_to_keep_keeps_everything() -> None:
    record = PLAIN.to_json()
    assert record.pop("keep") == "front"
    assert StudySpec.from_json(record).keep == Keep("all")
