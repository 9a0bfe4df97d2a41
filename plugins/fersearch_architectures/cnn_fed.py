"""The networks of document 003, the merged four-class study."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Choice, Task, hookimpl
from fersearch.space import Dimension, Params
from fersearch_architectures._maps import last_side

if TYPE_CHECKING:
    from torch import nn

WIDTHS = {"paired": (32, 32, 64, 64, 128), "economical": (32, 64, 128, 256, 256)}
HIDDEN = {"paired": 1000, "economical": 256}
PRESETS = {  # convolutions, kernel
    "cnn003_main": (4, 3),
    "cnn003_deep": (5, 3),
    "cnn003_k4": (4, 4),
    "cnn003_main_alt": (3, 3),
    "cnn003_k4_alt": (3, 4),
    "cnn003_deep_alt": (4, 3),
}


class CnnFed(Architecture):
    """Convolution, batch norm and LeakyReLU three to five times, pooled; two linear layers with dropout.

    The document contradicts itself. Its conclusion has four convolutions of kernel 3 (`cnn003_main`),
    a deeper network of five and one of kernel 4; its overview starts from three (`_alt`), so that
    `cnn003_deep_alt` is the network of `cnn003_main`. `custom` takes `depth` and `kernel`.

    It gives neither widths nor image size. `paired` has 32, 32, 64, 64, 128 channels, a pool after
    every second convolution, and 1,000 hidden units: 9,286,380 weights (main), 18,576,492 (deep) and
    6,520,780 (k4) for four classes at 48x48 grey. `economical` has 32, 64, 128, 256, 256 channels, a
    pool after each convolution, and 256 hidden units: 979,908, 1,046,212 and 953,508. Padding is 1
    for both kernels; a map of one pixel is not pooled any more. LeakyReLU has torch's slope, 0.01. The
    recipe's dropout acts before both linear layers.
    """

    name = "cnn_fed"
    summary = "document 003's networks of three to five convolutions, main and variants"
    space: ClassVar[Mapping[str, Dimension]] = {
        "preset": Choice(*PRESETS, "custom", search="cnn003_main"),
        "depth": Choice(3, 4, 5, when={"preset": ("custom",)}),
        "kernel": Choice(3, 4, when={"preset": ("custom",)}),
        "layout": Choice("paired", "economical", search="paired"),
    }
    stage_names = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc", "head")

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        layout = str(params.get("layout", "paired"))
        depth, kernel = depth_and_kernel(params)
        side = last_side(self.name, task.image_size, lambda size: maps(size, depth, kernel, layout)[-1][0])
        stages: OrderedDict[str, nn.Module] = OrderedDict((name, nn.Identity()) for name in self.stage_names)
        channels = task.channels
        for index, (_, pool) in enumerate(maps(task.image_size, depth, kernel, layout)):
            width = WIDTHS[layout][index]
            stages[f"conv{index + 1}"] = convolution(channels, width, kernel, pool)
            channels = width
        share, hidden = float(params["dropout"]), HIDDEN[layout]
        wide = nn.Linear(channels * side**2, hidden)
        stages["fc"] = nn.Sequential(nn.Flatten(), nn.Dropout(share), wide, nn.LeakyReLU())
        stages["head"] = nn.Sequential(nn.Dropout(share), nn.Linear(hidden, task.num_classes))
        return nn.Sequential(stages)

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())


def depth_and_kernel(params: Params) -> tuple[int, int]:
    """Return the number of convolutions and their kernel, from the preset, or for `custom` from `params`."""
    preset = str(params.get("preset", "cnn003_main"))
    return PRESETS[preset] if preset in PRESETS else (int(params["depth"]), int(params["kernel"]))


def maps(size: int, depth: int, kernel: int, layout: str) -> list[tuple[int, bool]]:
    """Return after each convolution, for images of a side, the side of the map and whether it is pooled."""
    sizes = []
    for index in range(depth):
        size += 3 - kernel
        pool = size > 1 and (layout == "economical" or index % 2 == 1)
        size = size // 2 if pool else size
        sizes.append((size, pool))
    return sizes


def convolution(channels: int, width: int, kernel: int, pool: bool) -> "nn.Sequential":
    """Convolution, batch norm, LeakyReLU, and optional 2x2 pooling."""
    from torch import nn

    layers = [nn.Conv2d(channels, width, kernel, padding=1), nn.BatchNorm2d(width), nn.LeakyReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


@hookimpl
def register_architectures(register):
    """Register `cnn_fed`."""
    register(CnnFed())
