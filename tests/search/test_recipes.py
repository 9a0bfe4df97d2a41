"""Known recipes: inside every space, each once, and when a study begins with them."""

from dataclasses import replace

import pytest

from fersearch import registry
from fersearch.recipe import recipe
from fersearch.search.recipes import RECIPES, first_trials, known
from fersearch.space import Choice, Float, Int, Space
from tests.search.fakes import SPACE, make_spec


def test_they_lie_in_the_space_of_every_architecture() -> None:
    components = registry.load()
    faces = components.dataset("faces")
    for name in (*set(components.architectures) - {"timm"}, "timm:resnet10t"):
        space = recipe(components.architecture(name), faces).narrowed({})
        projected = known(space)
        assert len(projected) == len(RECIPES), name
        for params in projected:
            space.check(params)


def test_they_lie_in_the_space_of_a_small_study() -> None:
    for params in known(SPACE):
        SPACE.check(params)


def test_projected_duplicates_are_dropped() -> None:
    assert known(Space({"epochs": Choice(3)})) == [{"epochs": 3}]


def test_numbers_are_clipped_and_sizes_follow_the_recipe() -> None:
    space = Space({"learning_rate": Float(0.1, 1.0, log=True), "width": Int(1, 5), "depth": Choice(8, 2, 4)})
    projected = {(p["learning_rate"], p["width"], p["depth"]) for p in known(space)}
    assert projected == {(0.1, 3, 4), (0.1, 1, 2), (0.1, 5, 8)}


@pytest.mark.parametrize(
    ("sampler", "recipes", "slots", "trials", "count"),
    [
        ("tpe", "auto", 4, 20, 5),
        ("nsga2", "auto", 1, 20, 5),
        ("tpe", "auto", 5, 20, 0),
        ("random", "auto", 1, 20, 0),
        ("random", "known", 64, 20, 5),
        ("tpe", "none", 1, 20, 0),
        ("tpe", "auto", 1, 8, 2),
        ("tpe", "auto", 1, 3, 0),
    ],
)
def test_when_a_study_begins_with_them(sampler: str, recipes: str, slots: int, trials: int, count: int) -> None:
    spec = make_spec(sampler, trials=trials, recipes=recipes)
    assert len(first_trials(spec, slots)) == min(count, len(RECIPES))


def test_several_architectures_of_one_study_take_the_recipes_in_turn() -> None:
    own = {f"{name}.batch_norm": Choice(False, True, when={"architecture": (name,)}) for name in ("one", "zoo:two.v1")}
    space = {"architecture": Choice("one", "zoo:two.v1"), "learning_rate": Float(1e-4, 1.0, log=True)}
    space = Space({**space, "weight_decay": Float(1e-7, 1.0, log=True), **own})
    spec = replace(make_spec("tpe", trials=20), space=space, architecture="one,zoo:two.v1", one_study=True)
    result = first_trials(spec, 1)
    assert [params["architecture"] for params in result] == ["one", "zoo:two.v1", "one", "zoo:two.v1", "one"]
    for params in result:
        space.check(params)
        assert params[f"{params['architecture']}.batch_norm"] is True
