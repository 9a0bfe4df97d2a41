"""Residual networks (He et al. 2016, arXiv:1512.03385) as torchvision builds them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Task, hookimpl
from fersearch.space import Dimension, Params
from fersearch_architectures._pretrained import FIRST_CONV, drop, imagenet, keep_first_conv

if TYPE_CHECKING:
    from torch import nn

preload = ("torchvision.models.resnet",)


class ResNet(Architecture):
    """A residual network of torchvision with dropout before its classifier, for grey or RGB images.

    From pretrained weights, a grey first convolution is the sum of the RGB kernels (`first_conv`
    sum) or a new one (random). Batch norm after the first convolution belongs to the second stage,
    so that freezing all but the first and last trains conv1 and fc alone, as the FER+ report does.
    """

    space: ClassVar[Mapping[str, Dimension]] = {"first_conv": FIRST_CONV}
    stage_names = ("conv1", "layer1", "layer2", "layer3", "layer4", "fc")
    weights = ("imagenet",)

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn
        from torchvision import models

        network = models.get_model(self.name, num_classes=task.num_classes)
        if task.channels != 3:
            network.conv1 = nn.Conv2d(task.channels, 64, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(network.conv1.weight, mode="fan_out", nonlinearity="relu")
        drop(network.fc, float(params["dropout"]))
        layers = OrderedDict(network.named_children())
        classifier = layers.pop("fc")
        return nn.Sequential(OrderedDict([*layers.items(), ("flatten", nn.Flatten()), ("fc", classifier)]))

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        names = [name for name, _ in model.named_children()]
        second, last = names.index("bn1"), names.index("avgpool")
        middle = names.index("layer2")
        return [model[:second], model[second:middle], *model[middle:last], model[last:]]

    def load_pretrained(self, model: "nn.Module", source: str, params: Params, task: Task) -> None:
        from fersearch.training.weights import fit

        tensors = imagenet(self.name)
        keep_first_conv(tensors, model, "conv1.weight", params, task)
        fit(model, tensors, model.fc, source)


class ResNet18(ResNet):
    """11,174,344 weights for eight classes of grey images."""

    name = "resnet18"
    summary = "torchvision's ResNet-18, from scratch or from ImageNet weights"


class ResNet34(ResNet):
    """21,282,504 weights for eight classes of grey images."""

    name = "resnet34"
    summary = "torchvision's ResNet-34, from scratch or from ImageNet weights"


class ResNet50(ResNet):
    """23,518,152 weights for eight classes of grey images; 23,522,375 for seven of RGB, as in document 000."""

    name = "resnet50"
    summary = "torchvision's ResNet-50, from scratch or from ImageNet weights"


class ResNet101(ResNet):
    """42,510,280 weights for eight classes of grey images."""

    name = "resnet101"
    summary = "torchvision's ResNet-101, from scratch or from ImageNet weights"


@hookimpl
def register_architectures(register):
    """Register `resnet18`, `resnet34`, `resnet50` and `resnet101`."""
    for kind in (ResNet18, ResNet34, ResNet50, ResNet101):
        register(kind())
