"""The Sequential network of document 001: four convolutions and a hidden layer of 512."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Choice, Float, Task, hookimpl
from fersearch.space import Dimension, Params
from fersearch_architectures._keras import glorot, limit_norm, penalise
from fersearch_architectures._maps import last_side

if TYPE_CHECKING:
    from torch import nn

HIDDEN = 512


class CnnKirkvik(Architecture):
    """Convolutions of 32, 64, 128 and 256 3x3 filters, three pools, 512, classes.

    3,669,639 weights for seven classes at 48x48 grey, by the document's listing 4.9: batch norm
    comes after ReLU, and the last convolution has no padding. `conv_dropout` acts after each pool
    (0.25 there), the recipe's `dropout` before the classifier (0.5 there). `l2` regularises the
    last two convolutions as Keras does: l2 * sum(w**2) in the loss. `max_norm` bounds the length of
    the first convolution's filters; 0 does not, as in the listing, while the text has 3. `init`
    glorot is what Keras starts from.
    """

    name = "cnn_kirkvik"
    summary = "document 001's Sequential network of four convolutions (3,669,639 weights at seven classes)"
    space: ClassVar[Mapping[str, Dimension]] = {
        "conv_dropout": Float(0.0, 0.95, search="0.25"),
        "init": Choice("torch", "glorot", search="torch"),
        "l2": Float(0.0, 1.0, search="0.01"),
        "max_norm": Float(0.0, 100.0, search="0"),
    }
    stage_names = ("conv1", "conv2", "conv3", "conv4", "fc", "head")

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        side = last_side(self.name, task.image_size, lambda size: (size // 4 - 2) // 2)
        first = nn.Conv2d(task.channels, 32, 3, padding=1)
        third, fourth = nn.Conv2d(64, 128, 3, padding=1), nn.Conv2d(128, 256, 3)
        stages = {
            "conv1": nn.Sequential(first, nn.ReLU()),
            "conv2": nn.Sequential(*pooled(nn.Conv2d(32, 64, 3, padding=1))),
            "conv3": nn.Sequential(drop(params), *pooled(third)),
            "conv4": nn.Sequential(drop(params), *pooled(fourth)),
            "fc": nn.Sequential(drop(params), nn.Flatten(), nn.Linear(256 * side**2, HIDDEN), nn.ReLU()),
            "head": nn.Sequential(nn.Dropout(float(params["dropout"])), nn.Linear(HIDDEN, task.num_classes)),
        }
        model = nn.Sequential(OrderedDict(stages))
        regularise(first, (third, fourth), params)
        if params.get("init") == "glorot":
            glorot(model)
        return model

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())


def pooled(convolution: "nn.Conv2d") -> list["nn.Module"]:
    """Return a convolution, ReLU, batch norm and 2x2 pooling, in the document's order."""
    from torch import nn

    return [convolution, nn.ReLU(), nn.BatchNorm2d(convolution.out_channels), nn.MaxPool2d(2)]


def drop(params: Params) -> "nn.Dropout":
    """Return the dropout after a pool. It opens the next stage, so that a frozen stage's output is not a draw."""
    from torch import nn

    return nn.Dropout(float(params.get("conv_dropout", 0.25)))


def regularise(first: "nn.Conv2d", last: Sequence["nn.Conv2d"], params: Params) -> None:
    """Apply `max_norm` to the first convolution and `l2` to the last ones."""
    if most := float(params.get("max_norm", 0)):
        limit_norm(first, most)
    if strength := float(params.get("l2", 0.01)):
        for layer in last:
            penalise(layer.weight, strength)


@hookimpl
def register_architectures(register):
    """Register `cnn_kirkvik`."""
    register(CnnKirkvik())
