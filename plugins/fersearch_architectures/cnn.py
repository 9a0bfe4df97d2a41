"""The convolutional network of the FER+ report: one or two convolutions, then linear layers."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Choice, Task, hookimpl
from fersearch.space import Dimension, Params

if TYPE_CHECKING:
    from torch import nn

KERNEL = 5


class Cnn(Architecture):
    """Two 5x5 convolutions with pooling, then 120, 84 and as many outputs as classes.

    169,270 weights for ten classes at 48x48 grey. With one convolution it is the report's first
    version: a single hidden layer of 120. `width` multiplies every hidden size. Dropout comes
    before the activation, as in the report.
    """

    name = "cnn"
    summary = "the FER+ report's small network (169,270 weights at ten classes)"
    space: ClassVar[Mapping[str, Dimension]] = {
        "activation": Choice("relu", "leaky_relu", "sigmoid", search="relu,leaky_relu"),
        "batch_norm": Choice(True, False, search="true"),
        "convolutions": Choice(2, 1, search="2"),
        "width": Choice(1, 2, 3, 4, search="1"),
    }
    stage_names = ("conv1", "conv2", "fc1", "fc2", "head")

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        width = int(params.get("width", 1))
        two = params.get("convolutions", 2) == 2
        first, second, wide, narrow = 6 * width, 16 * width, 120 * width, 84 * width
        size = pooled(task.image_size)
        stages = {"conv1": convolution(task.channels, first, params)}
        flat = first * size**2
        if two:
            stages["conv2"] = convolution(first, second, params)
            flat = second * pooled(size) ** 2
        stages["fc1"] = nn.Sequential(nn.Flatten(), hidden(flat, wide, params))
        if two:
            stages["fc2"] = hidden(wide, narrow, params)
        stages["head"] = nn.Linear(narrow if two else wide, task.num_classes)
        return nn.Sequential(OrderedDict((name, stages.get(name, nn.Identity())) for name in self.stage_names))

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())


def pooled(size: int) -> int:
    """Return the side of a map after a 5x5 convolution without padding and 2x2 pooling."""
    return (size - KERNEL + 1) // 2


def convolution(channels: int, out: int, params: Params) -> "nn.Sequential":
    """Convolution, optional batch norm, activation, 2x2 pooling.

    Pooling comes before the activation, which never falls and so gives the same for a quarter of the values.
    """
    from torch import nn

    norm = [nn.BatchNorm2d(out)] if params.get("batch_norm", True) else []
    return nn.Sequential(nn.Conv2d(channels, out, KERNEL), *norm, nn.MaxPool2d(2), activation(params))


def hidden(size: int, out: int, params: Params) -> "nn.Sequential":
    """Linear layer, dropout, activation."""
    from torch import nn

    return nn.Sequential(nn.Linear(size, out), nn.Dropout(float(params["dropout"])), activation(params))


def activation(params: Params) -> "nn.Module":
    """Return the activation that `params` names."""
    from torch import nn

    kinds = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "sigmoid": nn.Sigmoid}
    return kinds[str(params.get("activation", "relu"))]()


@hookimpl
def register_architectures(register):
    """Register `cnn`."""
    register(Cnn())
