"""Known recipes: inside every space, each once, and when a study begins with them."""

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
