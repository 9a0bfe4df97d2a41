"""The rules of freezing over the stages of an architecture."""

from typing import Any

import pytest
import torch
from fersearch_architectures.cnn import Cnn
from fersearch_architectures.resnet import ResNet18

from fersearch import Task, UsageError
from fersearch.errors import FersearchError
from fersearch.training.freezing import freeze, frozen_stages, hold

TASK = Task(tuple("abcdefghij"))


def trained(architecture: Any, model: Any) -> list[str]:
    stages = zip(architecture.stage_names, architecture.stages(model), strict=True)
    return [name for name, stage in stages if any(weight.requires_grad for weight in stage.parameters())]


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        ("none", ["conv1", "conv2", "fc1", "fc2", "head"]),
        ("all_but_last", ["head"]),
        ("all_but_first_and_last", ["conv1", "head"]),
        ("first_2", ["fc1", "fc2", "head"]),
    ],
)
def test_each_rule_leaves_what_its_name_says(rule: str, left: list[str], base: dict[str, Any]) -> None:
    model = Cnn().build(base, TASK)
    freeze(Cnn(), model, {**base, "freeze": rule})
    assert trained(Cnn(), model) == left


def test_freezing_can_be_undone(base: dict[str, Any]) -> None:
    model = Cnn().build(base, TASK)
    freeze(Cnn(), model, {**base, "freeze": "all_but_last"})
    freeze(Cnn(), model, {**base, "freeze": "none"})
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize(("mode", "still"), [("moving", False), ("fixed", True)])
def test_frozen_batch_norm_moves_or_stays_as_set(mode: str, still: bool, base: dict[str, Any]) -> None:
    model = Cnn().build(base, TASK)
    fixed = freeze(Cnn(), model, {**base, "freeze": "first_1", "frozen_batch_norm": mode})
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train()
    hold(fixed)
    model(torch.randn(4, 1, 48, 48))
    after = dict(model.named_buffers())
    assert torch.equal(before["conv1.1.running_mean"], after["conv1.1.running_mean"]) is still
    assert not torch.equal(before["conv2.1.running_mean"], after["conv2.1.running_mean"])


def test_resnet_trains_8266_weights_of_its_first_and_last_stage() -> None:
    with torch.device("meta"):
        model = ResNet18().build({"dropout": 0.0}, TASK)
    freeze(ResNet18(), model, {"freeze": "all_but_first_and_last"})
    assert sum(weight.numel() for weight in model.parameters() if weight.requires_grad) == 8266


def test_a_rule_for_no_such_stage_is_refused() -> None:
    with pytest.raises(UsageError, match="no rule 'first_5' for 5 stages"):
        frozen_stages("first_5", [torch.nn.ReLU()] * 5)


def test_nothing_left_to_train_is_refused() -> None:
    class Silent(Cnn):
        def stages(self, model: Any) -> Any:
            return [model, torch.nn.ReLU()]

    with pytest.raises(FersearchError, match="leaves nothing to train"):
        freeze(Silent(), Cnn().build({"dropout": 0.0}, TASK), {"freeze": "all_but_last"})
