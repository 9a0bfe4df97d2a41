"""The thesis's SANet (document 000), which names three papers and lists no layers: two readings of it."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Choice, Task, hookimpl
from fersearch.space import Dimension, Params
from fersearch_architectures._maps import last_side

if TYPE_CHECKING:
    from torch import nn

preload = ("fersearch_architectures._sanet_layers",)
WIDTHS = (32, 64, 128)
HIDDEN = 128


class SANet(Architecture):
    """Three blocks of 3x3 convolution, ReLU and 2x2 pooling, 128, 128, classes.

    `attention` (725,881 weights for seven classes at 48x48 grey) follows the thesis's description of
    self-attention: a block of it after the second and third pool, as in Zhang et al. 2019
    (arXiv:1805.08318). `recurrent` (1,464,007) follows the tracker that the thesis draws (Fan and
    Ling 2017, SANet: Structure-Aware Network for Visual Tracking): recurrent layers along rows and
    columns after each pool, put beside the pooled map. The widths are this project's: neither
    paper's sizes fit 48x48 faces. The recipe's dropout acts before the classifier.
    """

    name = "sanet"
    summary = "the thesis's SANet: three convolutions with self-attention or recurrent layers"
    space: ClassVar[Mapping[str, Dimension]] = {"variant": Choice("attention", "recurrent", search="attention")}
    stage_names = ("block1", "block2", "block3", "fc1", "fc2", "head")

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        side = last_side(self.name, task.image_size, lambda size: size // 2 ** len(WIDTHS))
        recurrent = params.get("variant", "attention") == "recurrent"
        stages, channels = OrderedDict[str, nn.Module](), task.channels
        for number, width in enumerate(WIDTHS, 1):
            stages[f"block{number}"] = block(channels, width, recurrent, attends=number > 1)
            channels = 2 * width if recurrent else width
        stages["fc1"] = nn.Sequential(nn.Flatten(), nn.Linear(channels * side**2, HIDDEN), nn.ReLU())
        stages["fc2"] = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU())
        stages["head"] = nn.Sequential(nn.Dropout(float(params["dropout"])), nn.Linear(HIDDEN, task.num_classes))
        return nn.Sequential(stages)

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())


def block(channels: int, width: int, recurrent: bool, attends: bool) -> "nn.Sequential":
    """Convolution, ReLU, pooling, and what relates distant places: (n, 2 width, ...) if recurrent."""
    from torch import nn

    from fersearch_architectures._sanet_layers import RowsAndColumns, SelfAttention

    layers = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    if recurrent:
        return nn.Sequential(*layers, RowsAndColumns(width))
    return nn.Sequential(*layers, *([SelfAttention(width)] if attends else []))


@hookimpl
def register_architectures(register):
    """Register `sanet`."""
    register(SANet())
