"""What the recipe offers is what training knows, name for name."""

from dataclasses import fields

import pytest
import torch
from torch import nn

from fersearch import recipe
from fersearch.training import augment, batches, freezing, losses, optim, sampling
from fersearch.training import augment as tta


def test_the_recipes_names_equal_trainings() -> None:
    assert tuple(optim.OPTIMIZERS) == recipe.OPTIMIZERS
    assert tuple(optim.SCHEDULERS) == recipe.SCHEDULERS
    assert tuple(augment.PRESETS) == recipe.AUGMENTATIONS
    assert tuple(losses.LOSSES) == recipe.LOSSES
    assert tuple(losses.CLASS_WEIGHTS) == recipe.CLASS_WEIGHTS
    assert tuple(sampling.SAMPLINGS) == recipe.SAMPLINGS
    assert tuple(batches.NORMALISATIONS) == recipe.NORMALISATIONS
    assert tuple(tta.VIEWS) == recipe.TTA


def test_every_strength_can_be_set_alone() -> None:
    assert {field.name for field in fields(augment.Strengths)} <= set(recipe.REGULARISATION)


@pytest.mark.parametrize("stages", [2, 3, 6])
def test_every_freezing_rule_freezes_something_but_not_all(stages: int) -> None:
    parts = [nn.Linear(1, 1) for _ in range(stages)]
    frozen = {rule: len(freezing.frozen_stages(rule, parts)) for rule in recipe.freeze_rules(stages)}
    assert frozen.pop("none") == 0
    assert all(0 < count < stages for count in frozen.values())


class Reader(dict[str, object]):
    """Parameters that note which of them are read."""

    def __init__(self, values: dict[str, object]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> object:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: object = None) -> object:
        self.read.add(name)
        return super().get(name, default)


def test_every_conditional_parameter_is_read_where_it_applies() -> None:
    dimensions = {**recipe.OPTIMISATION, **recipe.REGULARISATION}
    for name, dimension in dimensions.items():
        for parent, values in dimension.when.items():
            for value in values:
                params = Reader(dict.fromkeys(dimensions, 1) | {"epochs": 10, "scheduler": "none"} | {parent: value})
                params |= {"optimizer": value if parent == "optimizer" else "adam", "learning_rate": 0.1}
                params |= {"restart_epochs": 2, "restart_factor": 2}
                params |= {"step_factor": 0.5, "plateau_factor": 0.5, "decay": 0.5, "warmup_share": 0.3}
                params["loss"] = value if parent == "loss" else "focal"
                params["momentum"] = 0.5
                _exercise(params)
                assert name in params.read, f"{name} is not read when {parent}={value}"


def _exercise(params: Reader) -> None:
    from fersearch.study import Objective

    updates = optim.optimizer([nn.Parameter(torch.zeros(1))], params)  # type: ignore[arg-type]
    optim.Schedule(updates, params, Objective("f1_macro", "max")).step(1.0)  # type: ignore[arg-type]
    losses.criterion(params)  # type: ignore[arg-type]
