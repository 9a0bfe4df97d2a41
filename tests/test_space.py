"""What may be chosen, how it is narrowed, and when a choice applies."""

import itertools
import json
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fersearch.errors import UsageError
from fersearch.space import Choice, Dimension, Float, Int, Space, describe, narrow, values_of, written

OFFER = Space(
    {
        "optimizer": Choice("sgd", "adam"),
        "momentum": Float(0.0, 0.99, search="0.8..0.98", when={"optimizer": ("sgd",)}),
        "nesterov": Choice(False, True, when={"optimizer": ("sgd",)}),
        "learning_rate": Float(1e-6, 1.0, log=True, search="0.001..0.1"),
        "batch_size": Int(1, 512, search="32,64"),
        "epochs": Int(1, 1000, search="12"),
        "rotation": Float(0, 180, search=""),
    }
)

VALUES = st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.sampled_from(["sgd", "adam", "none"])
CHOICES = st.lists(VALUES, min_size=1, max_size=4, unique=True).map(lambda options: Choice(*options))
SHIFTS, LOGS = st.integers(0, 4), st.booleans()
INTS = st.builds(lambda low, shift, log: Int(low, low + shift, log), st.integers(1, 5), SHIFTS, LOGS)
FLOATS = st.builds(lambda low, shift, log: Float(low, low + shift, log), st.floats(0.1, 5), st.floats(0, 4), LOGS)


@st.composite
def spaces(draw: st.DrawFn, kinds: st.SearchStrategy[Dimension] = CHOICES | INTS | FLOATS) -> Space:
    """Spaces of up to five dimensions, some of which apply only under an earlier finite one."""
    dimensions: dict[str, Dimension] = {}
    for name in "abcde"[: draw(st.integers(1, 5))]:
        dimension = draw(kinds)
        parents = [other for other, d in dimensions.items() if not isinstance(d, Float)]
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            wanted = draw(st.lists(st.sampled_from(values_of(dimensions[parent])), min_size=1, max_size=2))
            object.__setattr__(dimension, "when", {parent: tuple(wanted)})
        dimensions[name] = dimension
    return Space(dimensions)


@given(spaces())
def test_a_space_survives_the_store(space: Space) -> None:
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert again.to_json() == space.to_json()


@given(spaces())
def test_every_configuration_passes_the_spaces_own_check(space: Space) -> None:
    for params in itertools.islice(space.configurations(), 200):
        space.check(params)


@given(spaces(CHOICES | INTS))
def test_the_size_of_a_finite_space_is_the_number_of_its_distinct_configurations(space: Space) -> None:
    configurations = [tuple((name, type(v), v) for name, v in params.items()) for params in space.configurations()]
    assert space.size() == len(configurations) == len(set(configurations))


@given(spaces())
def test_a_space_without_search_texts_is_searched_as_offered(space: Space) -> None:
    narrowed_space = space.narrowed({})
    assert all(narrowed_space[name] == space[name] for name in narrowed_space)
    assert list(narrowed_space) == list(narrowed_space.dimensions)
    for params in itertools.islice(narrowed_space.configurations(), 50):
        narrowed_space.check(params)


@given(CHOICES | INTS)
def test_each_value_can_be_named_in_its_written_form(dimension: Dimension) -> None:
    for value in values_of(dimension):
        only = narrow("x", dimension, written(value))
        twins = [other for other in values_of(dimension) if written(other) == written(value)]
        assert only.options[0] in twins


@given(FLOATS, st.floats(0, 1), st.floats(0, 1))
def test_a_narrowed_range_lies_in_the_offer(dimension: Float, a: float, b: float) -> None:
    width = dimension.high - dimension.low
    low, high = sorted((dimension.low + a * width, dimension.low + b * width))
    assume(high <= dimension.high)
    part = narrow("x", dimension, f"{low!r}..{high!r}")
    assert (part.low, part.high, part.log) == (low, high, dimension.log)


def test_defaults_come_from_each_dimensions_search_text() -> None:
    space = OFFER.narrowed({})
    assert list(space) == ["optimizer", "momentum", "nesterov", "learning_rate", "batch_size", "epochs"]
    assert (space["learning_rate"].low, space["learning_rate"].high, space["learning_rate"].log) == (0.001, 0.1, True)
    assert space["batch_size"].options == (32, 64)
    assert space["epochs"].options == (12,)


def test_settings_narrow_widen_or_ask_for_a_dimension() -> None:
    settings = {"optimizer": "sgd", "rotation": "5..10", "batch_size": "16", "learning_rate": "0.00001..1"}
    space = OFFER.narrowed(settings)
    assert space["optimizer"].options == ("sgd",)
    assert (space["rotation"].low, space["rotation"].high) == (5.0, 10.0)
    assert space["batch_size"].options == (16,)
    assert space["learning_rate"].low == 1e-5


def test_a_dimension_that_can_never_apply_is_left_out() -> None:
    assert "momentum" not in OFFER.narrowed({"optimizer": "adam"})


def test_setting_a_dimension_that_can_never_apply_is_an_error() -> None:
    with pytest.raises(UsageError) as caught:
        OFFER.narrowed({"optimizer": "adam", "momentum": "0.9"})
    assert caught.value.message == "momentum: applies only when optimizer=sgd"


def test_a_dimension_behind_one_that_is_left_out_is_left_out_too() -> None:
    chain = Space(
        {
            "a": Choice(1, 2, search="1"),
            "b": Choice("x", when={"a": (2,)}),
            "c": Int(0, 1, when={"b": ("x",)}),
        }
    )
    assert list(chain.narrowed({})) == ["a"]
    assert list(chain.narrowed({"a": "2"})) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"lr": "1"}, "unknown parameter 'lr'", "known: batch_size"),
        ({"optimizer": "adm"}, "optimizer: 'adm' is not offered", "did you mean 'adam'? offered: sgd, adam"),
        ({"optimizer": "lamb,sgd"}, "optimizer: 'lamb' is not offered", "offered: sgd, adam"),
        ({"learning_rate": "0.1..5"}, "learning_rate: 5 is not offered", "offered: 1e-06..1 (log)"),
        ({"learning_rate": "fast"}, "learning_rate: 'fast' is not offered", "offered: 1e-06..1 (log)"),
        ({"learning_rate": "nan"}, "learning_rate: nan is not offered", "offered: 1e-06..1 (log)"),
        ({"learning_rate": "0.1..0.01"}, "learning_rate: '0.1..0.01' is not a range", "0.1..0.01"),
        ({"batch_size": "0"}, "batch_size: 0 is not offered", "offered: 1..512"),
        ({"batch_size": "1.5"}, "batch_size: '1.5' is not offered", "offered: 1..512"),
        ({"batch_size": "8..1024"}, "batch_size: 1024 is not offered", "offered: 1..512"),
        ({"batch_size": "8,,16"}, "batch_size: '' is not offered", "offered: 1..512"),
    ],
)
def test_a_wrong_setting_says_what_is_offered(settings: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        OFFER.narrowed(settings)
    assert caught.value.message == message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("True", True), ("FALSE", False), ("2", 2), ("0.10", 0.1), ("none", "none"), ("1e-1", 0.1)],
)
def test_options_are_read_as_people_write_them(text: str, expected: object) -> None:
    value = Choice(True, False, 2, 0.1, "none").parse(text)
    assert (type(value), value) == (type(expected), expected)


def test_truth_values_are_no_numbers() -> None:
    assert Choice(False, True).contains(True)
    assert not Choice(0, 1).contains(True)
    assert not Choice(False, True).contains(1)


@pytest.mark.parametrize("options", [("a", "a"), (0, False), (1, 1.0), (True, 1)])
def test_a_choice_of_equal_options_cannot_be_made(options: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="twice"):
        Choice(*options)


def test_a_value_named_twice_is_searched_once() -> None:
    assert narrow("x", Int(1, 9), "3,3,4").options == (3, 4)


@pytest.mark.parametrize("value", [True, "1", math.nan, math.inf, -1, 11])
def test_numbers_hold_no_other_kinds_and_nothing_outside(value: object) -> None:
    assert not Float(0, 10).contains(value)
    assert not Int(0, 10).contains(value)


def test_whole_numbers_hold_no_fractions() -> None:
    assert Int(0, 10).contains(3)
    assert not Int(0, 10).contains(3.5)
    assert Float(0, 10).contains(3.5)


@pytest.mark.parametrize(
    "build", [lambda: Float(2, 1), lambda: Int(2, 1), lambda: Float(0, math.inf), lambda: Choice()]
)
def test_impossible_dimensions_cannot_be_made(build: object) -> None:
    with pytest.raises(ValueError):
        build()


def test_a_log_scale_cannot_touch_zero() -> None:
    with pytest.raises(ValueError):
        Float(0.0, 1.0, log=True)
    offered = Float(0.0, 1.0, log=True, search="0.1..1")
    assert narrow("x", offered, "0").options == (0.0,)
    with pytest.raises(UsageError):
        narrow("x", offered, "0..1")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"optimizer": "adam", "momentum": 0.9}, "parameter 'momentum' does not apply"),
        ({"optimizer": "sgd"}, "parameter 'momentum' is missing"),
        ({"optimizer": "lamb"}, "optimizer: lamb is not offered"),
        ({"optimizer": "sgd", "momentum": 2.0}, "momentum: 2 is not offered"),
    ],
)
def test_parameters_must_be_exactly_the_ones_that_apply(params: dict[str, object], message: str) -> None:
    space = Space({"optimizer": OFFER["optimizer"], "momentum": OFFER["momentum"]})
    with pytest.raises(UsageError) as caught:
        space.check(params)
    assert caught.value.message == message


def test_active_dimensions_can_be_chosen_on_the_way() -> None:
    params: dict[str, object] = {}
    names = []
    for name, dimension in OFFER.narrowed({"optimizer": "sgd"}).active(params):
        params[name] = values_of(dimension)[0]
        names.append(name)
    assert names == ["optimizer", "momentum", "nesterov", "learning_rate", "batch_size", "epochs"]


def test_an_endless_space_has_no_size() -> None:
    assert Space({"x": Float(0, 1)}).size() is None
    assert Space({"x": Float(1, 1)}).size() == 1
    assert Space({}).size() == 1


def test_a_dimension_may_only_depend_on_an_earlier_one() -> None:
    with pytest.raises(ValueError, match="does not come before"):
        Space({"a": Int(0, 1, when={"b": (1,)}), "b": Int(0, 1)})


def test_two_spaces_cannot_share_a_name() -> None:
    assert list(Space({"a": Int(0, 1)}) | Space({"b": Int(0, 1)})) == ["a", "b"]
    with pytest.raises(ValueError, match="defined twice: a"):
        Space({"a": Int(0, 1)}) | Space({"a": Int(0, 1)})


@pytest.mark.parametrize(
    ("dimension", "text"),
    [
        (Float(1e-4, 0.3, log=True), "0.0001..0.3 (log)"),
        (Int(1, 20), "1..20"),
        (Choice("sgd", True, 0.5), "sgd, true, 0.5"),
    ],
)
def test_a_dimension_is_described_in_the_notation_of_settings(dimension: Dimension, text: str) -> None:
    assert describe(dimension) == text


def test_a_configuration_is_written_value_by_value() -> None:
    space = OFFER.narrowed({})
    assert space.configured({"learning_rate": "0.01", "optimizer": "sgd", "momentum": "0.9"}) == {
        "learning_rate": 0.01,
        "optimizer": "sgd",
        "momentum": 0.9,
    }
    assert space.configured({}) == {}
    assert OFFER.narrowed({"optimizer": "sgd"}).configured({"momentum": "0.9"}) == {"momentum": 0.9}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"batch_size": "32,64"}, "batch_size: '32,64' is several values\n  give one"),
        ({"learning_rate": "0.5"}, "learning_rate: 0.5 is not offered\n  offered: 0.001..0.1 (log)"),
        ({"momentum": "0.9"}, "momentum: applies only when optimizer=sgd\n  give optimizer=sgd too, one value"),
        ({"momentum": "0.9", "optimizer": "adam"}, "momentum: applies only when optimizer=sgd"),
    ],
)
def test_what_is_no_configuration_is_refused(texts: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        OFFER.narrowed({}).configured(texts)
    assert str(caught.value).startswith(message)


def test_values_that_leave_nothing_open_are_completed() -> None:
    space = OFFER.narrowed({"learning_rate": "0.01", "batch_size": "32"})
    whole = {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 32, "epochs": 12}
    assert space.completed({"optimizer": "adam"}) == whole
    assert space.completed({"optimizer": "sgd"}) is None
    assert list(space.pinned({"optimizer": "adam"}).configurations()) == [whole]
