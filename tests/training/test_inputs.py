"""An architecture that cannot take the images of a study is known before it begins."""

import pytest
from torch import nn

from fersearch import Architecture, Choice
from fersearch.components import Task
from fersearch.errors import UsageError
from fersearch.training.inputs import refuse_unfit


class Net(Architecture):
    name = "net"
    space = {"size": Choice(9, 3)}
    stage_names = ("features", "head")

    def build(self, params, task):
        return nn.Sequential(nn.Conv2d(1, 2, params["size"]), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))

    def stages(self, model):
        return [model[:1], model[1:]]


def task(size=16, channels=1):
    return Task(("happy", "sad"), channels, size)


def test_one_configuration_that_takes_them_is_enough():
    refuse_unfit(Net(), [{"size": 9}], task())
    refuse_unfit(Net(), [{"size": 9}, {"size": 3}], task(8))


def test_what_takes_them_in_none_is_refused_with_what_torch_says():
    with pytest.raises(UsageError) as caught:
        refuse_unfit(Net(), [{"size": 9}], task(8))
    assert caught.value.message.startswith("architecture 'net' cannot take images of 8x8 in 1 channel: RuntimeError: ")
    assert "Kernel size can't be greater than actual input size" in caught.value.message
    assert caught.value.hint.startswith("images are one study's own: change --image-size or --channels")
    with pytest.raises(UsageError, match="cannot take images of 16x16 in 3 channels"):
        refuse_unfit(Net(), [{"size": 9}, {"size": 3}], task(channels=3))


def test_a_crop_counts_as_the_size_that_the_network_sees():
    with pytest.raises(UsageError, match="cannot take images of 16x16"):
        refuse_unfit(Net(), [{"size": 9, "crop": 8}], task())


def test_what_fails_only_without_memory_is_tried_with_it():
    def build(self, params, task):
        model = Net.build(self, params, task)
        float(model[0].weight.sum())
        return model

    refuse_unfit(type("Reading", (Net,), {"build": build})(), [{"size": 3}], task())
