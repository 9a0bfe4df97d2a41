"""Building blocks of the networks after VGG: blocks of 3x3 convolutions, each closed by a 2x2 pool."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def block(channels: int, widths: Sequence[int], batch_norm: bool) -> list["nn.Module"]:
    """Return padded 3x3 convolutions of these widths, each with ReLU and optional batch norm, then a 2x2 pool."""
    from torch import nn

    layers: list[nn.Module] = []
    for width in widths:
        norm = [nn.BatchNorm2d(width)] if batch_norm else []
        layers += [nn.Conv2d(channels, width, 3, padding=1), *norm, nn.ReLU(inplace=True)]
        channels = width
    return [*layers, nn.MaxPool2d(2)]


def start_as_torchvision(model: "nn.Module") -> None:
    """Give a VGG the first weights of torchvision's, in place.

    Convolutions after He et al. 2015 (arXiv:1502.01852, fan out), linear layers normal with
    deviation 0.01, biases 0.
    """
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0, 0.01)
            nn.init.zeros_(layer.bias)
