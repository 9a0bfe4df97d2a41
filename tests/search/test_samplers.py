"""Samplers without chance: what they propose, in order, and where they go on."""

import pytest

from fersearch.errors import UsageError
from fersearch.search.samplers import Grid, OneFactorAtATime, check_finite
from fersearch.space import Choice, Float, Int, Space
from fersearch.trial import Trial

SPACE = Space(
    {
        "epochs": Choice(10),
        "optimizer": Choice("sgd", "adam"),
        "momentum": Choice(0.0, 0.9, when={"optimizer": ("sgd",)}),
        "amsgrad": Choice(False, True, when={"optimizer": ("adam",)}),
        "width": Int(1, 3),
    }
)


def proposals(sampler: Grid) -> list[dict[str, object]]:
    result = []
    while (proposal := sampler.ask(len(result))) is not None:
        result.append(dict(proposal[0]))
    assert sampler.exhausted
    return result


def test_a_grid_is_every_configuration_once() -> None:
    result = proposals(Grid(SPACE, []))
    assert len(result) == len({frozenset(params.items()) for params in result}) == 12
    assert result == list(SPACE.configurations())


def test_one_factor_at_a_time_starts_from_the_first_values() -> None:
    base = {"epochs": 10, "optimizer": "sgd", "momentum": 0.0, "width": 1}
    adam = {"epochs": 10, "optimizer": "adam", "amsgrad": False, "width": 1}
    assert proposals(OneFactorAtATime(SPACE, [])) == [
        base,
        adam,
        {**base, "momentum": 0.9},
        {**adam, "amsgrad": True},
        {**base, "width": 2},
        {**base, "width": 3},
    ]


@pytest.mark.parametrize("kind", [Grid, OneFactorAtATime])
def test_what_was_tried_is_not_proposed_again(kind: type[Grid]) -> None:
    whole = proposals(kind(SPACE, []))
    tried = [Trial(number, params) for number, params in enumerate(whole[:4])]
    assert proposals(kind(SPACE, tried)) == whole[4:]


def test_a_real_dimension_has_no_end() -> None:
    with pytest.raises(UsageError, match="sampler 'grid' needs finite parameters; these are continuous: learning_rate"):
        check_finite(Space({"learning_rate": Float(0.1, 1.0)}), "grid")
