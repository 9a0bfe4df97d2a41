"""Two networks after VGG that were made for faces: the VGG-13 of FER+ and the network of Khaireddin and Chen."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Float, Task, hookimpl
from fersearch.space import Dimension, Params
from fersearch_architectures._keras import glorot
from fersearch_architectures._maps import last_side
from fersearch_architectures._vgg_blocks import block

if TYPE_CHECKING:
    from torch import nn


class FaceVgg(Architecture):
    """Blocks of convolutions, two hidden layers, a classifier: one stage each.

    Each dropout opens the stage after its own, so that a frozen stage's output is not a draw.
    """

    stage_names = ("block1", "block2", "block3", "block4", "fc1", "fc2", "head")
    blocks: ClassVar[Sequence[Sequence[int]]]
    hidden: ClassVar[int]
    batch_norm: ClassVar[bool]
    conv_dropout: ClassVar[float] = 0.0

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        side = last_side(self.name, task.image_size, lambda size: size // 2 ** len(self.blocks))
        dropout, after_pools = float(params["dropout"]), float(params.get("conv_dropout", self.conv_dropout))
        stages, channels = OrderedDict[str, nn.Module](), task.channels
        for number, widths in enumerate(self.blocks, 1):
            before = nn.Dropout(after_pools) if number > 1 else nn.Identity()
            stages[f"block{number}"] = nn.Sequential(before, *block(channels, widths, self.batch_norm))
            channels = widths[-1]
        first = nn.Linear(channels * side**2, self.hidden)
        stages["fc1"] = nn.Sequential(nn.Dropout(after_pools), nn.Flatten(), first, nn.ReLU())
        stages["fc2"] = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.hidden, self.hidden), nn.ReLU())
        stages["head"] = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.hidden, task.num_classes))
        return nn.Sequential(stages)

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())


class Vgg13FerPlus(FaceVgg):
    """The network that FER+ was presented with (Barsoum et al. 2016, arXiv:1608.01041).

    8,757,704 weights for eight classes at 64x64 grey, the paper's size; 6,922,696 at 48x48. No
    batch norm; first weights after Glorot, as there. `conv_dropout` acts after each pool (0.25 in the
    paper), the recipe's `dropout` after each hidden layer (0.5 in the paper).
    """

    name = "vgg13_ferplus"
    summary = "the FER+ paper's VGG-13 (8,757,704 weights at eight classes of 64x64)"
    space: ClassVar[Mapping[str, Dimension]] = {"conv_dropout": Float(0.0, 0.95, search="0.25")}
    blocks = ((64, 64), (128, 128), (256, 256, 256), (256, 256, 256))
    hidden = 1024
    batch_norm = False
    conv_dropout = 0.25

    def build(self, params: Params, task: Task) -> "nn.Module":
        model = super().build(params, task)
        glorot(model)
        return model


class VggKhaireddin(FaceVgg):
    """The network that reached 73.28 % on FER2013 (Khaireddin and Chen 2021, arXiv:2105.03588).

    29,890,759 weights for seven classes at 40x40 grey, the size of the paper's crops. The recipe's
    dropout acts after each hidden layer (0.2 in the published code).
    """

    name = "vgg_khaireddin"
    summary = "Khaireddin and Chen's VGG (29,890,759 weights at seven classes of 40x40)"
    blocks = ((64, 64), (128, 128), (256, 256), (512, 512))
    hidden = 4096
    batch_norm = True


@hookimpl
def register_architectures(register):
    """Register `vgg13_ferplus` and `vgg_khaireddin`."""
    register(Vgg13FerPlus())
    register(VggKhaireddin())
