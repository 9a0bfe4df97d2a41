"""The layers of a network, as `plugin show --layers` lists them."""

from fersearch_architectures.resnet import ResNet18

from fersearch.api.plugins import default_params
from fersearch.components import Task
from fersearch.training.summary import Layer, layers

TASK = Task(tuple("abcdefghij"), 1, 48)


def test_layers_come_in_the_order_of_calls_with_their_outputs_and_weights() -> None:
    result = layers(ResNet18(), default_params(ResNet18()), TASK)
    assert result[0] == Layer("conv1", "Conv2d", (64, 24, 24), 3136, 3136)
    assert (result[-1].name, result[-1].shape, result[-1].parameters) == ("fc", (10,), 5130)
    assert sum(layer.parameters for layer in result) == 11_175_370


def test_what_is_frozen_is_not_trained() -> None:
    params = default_params(ResNet18(), {"freeze": "all_but_first_and_last"})
    result = layers(ResNet18(), params, TASK)
    assert {layer.name: layer.trainable for layer in result if layer.trainable} == {"conv1": 3136, "fc": 5130}
