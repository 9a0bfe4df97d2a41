"""A residual network of nine layers for small images (Page 2018, "How to train your ResNet", for DAWNBench)."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Choice, Task, hookimpl
from fersearch.space import Dimension, Params

if TYPE_CHECKING:
    from torch import nn

preload = ("fersearch_architectures._residual",)

SMALL = 40  # pixels: below, as on the 32x32 images that it was made for, the first convolution is not pooled


class ResNet9(Architecture):
    """Eight 3x3 convolutions with batch norm, two residual blocks, global max pooling and a linear layer.

    `width` is the number of channels after the first convolution; each layer doubles it. The original has 64. On 48x48
    images and a CPU, a training step of 24 and of 32 takes about a quarter and two fifths of the time of torchvision's
    ResNet-18. Dropout comes before the linear layer.
    """

    name = "resnet9"
    summary = "a ResNet of nine layers for small images (925,999 weights at width 24 and seven classes)"
    space: ClassVar[Mapping[str, Dimension]] = {"width": Choice(16, 24, 32, 48, 64, search="16,24,32")}
    stage_names = ("stem", "layer1", "layer2", "layer3", "head")

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        width = int(params["width"])
        head = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(float(params["dropout"]))]
        stages = {
            "stem": convolution(task.channels, width, pool=task.image_size >= SMALL),
            "layer1": nn.Sequential(convolution(width, 2 * width, pool=True), block(2 * width)),
            "layer2": convolution(2 * width, 4 * width, pool=True),
            "layer3": nn.Sequential(convolution(4 * width, 8 * width, pool=True), block(8 * width)),
            "head": nn.Sequential(*head, nn.Linear(8 * width, task.num_classes)),
        }
        return nn.Sequential(OrderedDict(stages))

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())


def convolution(channels: int, out: int, *, pool: bool = False) -> "nn.Sequential":
    """Return a 3x3 convolution with batch norm, 2x2 pooling if `pool`, and ReLU."""
    from torch import nn

    pooling = [nn.MaxPool2d(2)] if pool else []  # before ReLU: the same values, a quarter of the work
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), *pooling, nn.ReLU())


def block(channels: int) -> "nn.Sequential":
    """Return two convolutions with a connection around them."""
    from fersearch_architectures._residual import Residual

    return Residual(convolution(channels, channels), convolution(channels, channels))


@hookimpl
def register_architectures(register):
    """Register `resnet9`."""
    register(ResNet9())
