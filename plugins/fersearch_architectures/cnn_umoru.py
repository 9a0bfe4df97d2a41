"""The thesis's convolutional network (document 000): two convolutions and a hidden layer of 128."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Choice, Float, Task, hookimpl
from fersearch.space import Dimension, Params
from fersearch_architectures._keras import glorot
from fersearch_architectures._maps import last_side

if TYPE_CHECKING:
    from torch import nn

HIDDEN = 128


class CnnUmoru(Architecture):
    """Two blocks of 3x3 convolution, ReLU and 2x2 pooling with `width` and 2 `width` filters, 128, classes.

    2,434,823 weights for seven classes at 48x48 grey with 64 and 128 filters and padding, as the
    thesis computes (section 3.6); its text (2.4.1) has 32 and 64. `conv_dropout` acts after each
    pool (0.25 in the thesis), the recipe's `dropout` before the classifier (0.5 there). The thesis
    builds the network in Keras and in torch, which start from other weights: `init` has both.
    """

    name = "cnn_umoru"
    summary = "the thesis's network of two convolutions (2,434,823 weights at seven classes)"
    space: ClassVar[Mapping[str, Dimension]] = {
        "width": Choice(64, 32, search="64"),
        "padding": Choice("same", "valid", search="same"),
        "conv_dropout": Float(0.0, 0.95, search="0.25"),
        "init": Choice("torch", "glorot", search="torch"),
    }
    stage_names = ("conv1", "conv2", "fc", "head")

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        width = int(params.get("width", 64))
        same = params.get("padding", "same") == "same"
        lost = 0 if same else 2
        side = last_side(self.name, task.image_size, lambda size: ((size - lost) // 2 - lost) // 2)
        stages = {
            "conv1": convolution(task.channels, width, same),
            "conv2": nn.Sequential(drop(params), *convolution(width, 2 * width, same)),
            "fc": nn.Sequential(drop(params), nn.Flatten(), nn.Linear(2 * width * side**2, HIDDEN), nn.ReLU()),
            "head": nn.Sequential(nn.Dropout(float(params["dropout"])), nn.Linear(HIDDEN, task.num_classes)),
        }
        model = nn.Sequential(OrderedDict(stages))
        if params.get("init") == "glorot":
            glorot(model)
        return model

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())


def convolution(channels: int, out: int, same: bool) -> "nn.Sequential":
    """3x3 convolution, ReLU, 2x2 pooling."""
    from torch import nn

    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=int(same)), nn.ReLU(), nn.MaxPool2d(2))


def drop(params: Params) -> "nn.Dropout":
    """Return the dropout after a pool. It opens the next stage, so that a frozen stage's output is not a draw."""
    from torch import nn

    return nn.Dropout(float(params.get("conv_dropout", 0.25)))


@hookimpl
def register_architectures(register):
    """Register `cnn_umoru`."""
    register(CnnUmoru())
