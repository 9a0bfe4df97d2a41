"""The search space that every trial shares."""

from typing import ClassVar

import pytest

from fersearch.components import Architecture, Dataset
from fersearch.errors import PluginError
from fersearch.recipe import OPTIMISATION, REGULARISATION, freeze_rules, recipe
from fersearch.space import Choice, Dimension, Int


class Net(Architecture):
    name = "net"
    stage_names = ("stem", "body", "head")
    space: ClassVar[dict[str, Dimension]] = {"width": Choice(8, 16)}

    def build(self, params, task): ...

    def stages(self, model): ...


class Faces(Dataset):
    name = "faces"
    targets = ("majority", "probability")

    def files(self, source): ...

    def read(self, source, options): ...

    def label(self, columns, class_names, params): ...


def with_space(**space: Dimension) -> Architecture:
    return type("Other", (Net,), {"name": "other", "space": space})()


def test_the_recipe_ends_with_the_architectures_own_dimensions() -> None:
    names = list(recipe(Net(), Faces()))
    assert names == [*OPTIMISATION, *REGULARISATION, "target", "freeze", "frozen_batch_norm", "width"]


def test_every_default_lies_in_its_offer_and_makes_a_valid_configuration() -> None:
    space = recipe(Net(), Faces()).narrowed({})
    params = next(space.configurations())
    space.check(params)
    assert params["epochs"] == 12
    assert params["target"] == "majority"


def test_what_is_searched_unasked_stays_as_it_is() -> None:
    """A study is repeated by its settings: what they leave out must not grow."""
    searched = recipe(Net(), Faces()).narrowed({})
    assert list(searched) == [
        *("epochs", "batch_size", "optimizer", "learning_rate", "momentum", "nesterov", "weight_decay", "scheduler"),
        *("decay", "plateau_factor", "plateau_patience", "step_factor", "step_count", "warmup_share", "dropout"),
        *("augmentation", "loss", "label_smoothing", "focal_gamma", "class_weights", "target", "freeze", "width"),
    ]
    assert searched["optimizer"].options == ("sgd", "adam", "adamw", "rmsprop")
    assert searched["scheduler"].options == ("none", "exponential", "plateau", "step", "cosine", "onecycle")


@pytest.mark.parametrize("name", [*OPTIMISATION, *REGULARISATION])
def test_each_dimension_can_be_searched_over_all_it_offers_alone(name: str) -> None:
    offered = recipe(Net(), Faces())
    dimension = offered[name]
    parents = {parent: str(values[0]) for parent, values in dimension.when.items()}
    if isinstance(dimension, Choice):
        text = ",".join(str(option).lower() for option in dimension.options)
    else:
        text = f"{dimension.low or 0.001}..{dimension.high}" if dimension.log else f"{dimension.low}..{dimension.high}"
    assert name in offered.narrowed({**parents, name: text})


@pytest.mark.parametrize(
    ("chosen", "present", "absent"),
    [
        ({"optimizer": "sgd"}, {"momentum", "nesterov"}, set()),
        ({"optimizer": "adamw"}, set(), {"momentum", "nesterov"}),
        ({"scheduler": "none"}, set(), {"decay", "plateau_factor", "step_factor", "warmup_share"}),
        ({"scheduler": "plateau"}, {"plateau_factor", "plateau_patience"}, {"decay", "step_count"}),
        ({"scheduler": "cosine_restarts"}, {"restart_epochs", "restart_factor"}, {"warmup_epochs"}),
        ({"scheduler": "cosine", "warmup_epochs": "2"}, {"warmup_epochs"}, {"warmup_share"}),
        ({"loss": "focal"}, {"focal_gamma"}, {"label_smoothing"}),
        ({}, {"dropout", "augmentation"}, {"rotation", "mixup", "frozen_batch_norm"}),
        ({"freeze": "first_1"}, {"frozen_batch_norm"}, set()),
        ({"rotation": "1..30"}, {"rotation"}, set()),
    ],
)
def test_a_knob_that_does_not_apply_is_not_searched(chosen: dict[str, str], present: set, absent: set) -> None:
    names = set(recipe(Net(), Faces()).narrowed(chosen))
    assert present <= names
    assert not absent & names


def test_freezing_is_searched_only_from_pretrained_weights_or_on_request() -> None:
    assert recipe(Net(), Faces()).narrowed({})["freeze"].options == ("none",)
    assert len(recipe(Net(), Faces(), pretrained=True).narrowed({})["freeze"].options) == 4
    assert recipe(Net(), Faces()).narrowed({"freeze": "none,first_1"})["freeze"].options == ("none", "first_1")


@pytest.mark.parametrize(
    ("stages", "rules"),
    [
        (2, ("none", "all_but_last")),
        (3, ("none", "all_but_last", "all_but_first_and_last", "first_1")),
        (5, ("none", "all_but_last", "all_but_first_and_last", "first_1", "first_2", "first_3")),
    ],
)
def test_freezing_rules_follow_the_number_of_stages(stages: int, rules: tuple[str, ...]) -> None:
    assert freeze_rules(stages) == rules


def test_a_target_is_fixed_unless_it_is_set() -> None:
    assert recipe(Net(), Faces()).narrowed({})["target"].options == ("majority",)
    both = recipe(Net(), Faces()).narrowed({"target": "majority,probability"})
    assert both["target"].options == ("majority", "probability")


def test_an_architectures_dimension_may_depend_on_the_recipes() -> None:
    space = recipe(with_space(depth=Int(1, 3, when={"optimizer": ("sgd",)})), Faces())
    assert "depth" in space.narrowed({"optimizer": "sgd"})
    assert "depth" not in space.narrowed({"optimizer": "adam"})


def test_an_architecture_that_takes_a_name_of_the_recipe_is_reported_so() -> None:
    with pytest.raises(PluginError) as caught:
        recipe(with_space(dropout=Int(1, 3), width=Int(1, 3), epochs=Int(1, 3)), Faces())
    assert caught.value.message == "architecture 'other' redefines dimensions of the recipe: dropout, epochs"


def test_an_architecture_that_depends_on_nothing_known_is_reported_so() -> None:
    with pytest.raises(PluginError, match="architecture 'other': 'depth' depends on 'size'"):
        recipe(with_space(depth=Int(1, 3, when={"size": (1,)})), Faces())
