"""VGG-16 and VGG-19 (Simonyan and Zisserman 2015, arXiv:1409.1556) under four heads."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Choice, Task, hookimpl
from fersearch.space import Dimension, Params
from fersearch_architectures._maps import last_side
from fersearch_architectures._pretrained import FIRST_CONV, imagenet, keep_first_conv
from fersearch_architectures._vgg_blocks import block, start_as_torchvision

if TYPE_CHECKING:
    from torch import nn

preload = ("torchvision.models.vgg",)
WIDTHS = (64, 128, 256, 512, 512)
HIDDEN = 4096


class Vgg(Architecture):
    """Five blocks of 3x3 convolutions, then one of four heads, for grey or RGB images.

    `compact` is one linear layer on the last map (512 numbers of images of 32 to 63 pixels), which
    public code for faces uses; `gap` one on the map's mean; `classic` 4096, 4096, classes on the
    map; `torchvision` the same on the map made 7x7. The recipe's dropout acts before each linear
    layer but the first of the long heads. Weights have torchvision's names, so that its files
    serve; from ImageNet the `torchvision` head takes all linear layers but the last, the others none.
    """

    space: ClassVar[Mapping[str, Dimension]] = {
        "head": Choice("compact", "gap", "classic", "torchvision", search="compact"),
        "batch_norm": Choice(False, True, search="true"),
        "first_conv": FIRST_CONV,
    }
    stage_names = ("block1", "block2", "block3", "block4", "block5", "head")
    weights = ("imagenet",)
    depths: ClassVar[tuple[int, ...]]

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        side = last_side(self.name, task.image_size, lambda size: size // 2 ** len(WIDTHS))
        features, channels = list[nn.Module](), task.channels
        for width, depth in zip(WIDTHS, self.depths, strict=True):
            features += block(channels, [width] * depth, bool(params.get("batch_norm", True)))
            channels = width
        head = head_of(str(params.get("head", "compact")), side, float(params["dropout"]), task.num_classes)
        model = nn.Sequential(OrderedDict(features=nn.Sequential(*features), **head))
        start_as_torchvision(model)
        return model

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        from torch import nn

        kinds = [type(layer) for layer in model.features]
        ends = [place + 1 for place, kind in enumerate(kinds) if kind is nn.MaxPool2d]
        blocks = [model.features[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        return [*blocks, model[1:]]

    def load_pretrained(self, model: "nn.Module", source: str, params: Params, task: Task) -> None:
        from fersearch.training.weights import fit

        tensors = imagenet(f"{self.name}_bn" if params.get("batch_norm", True) else self.name)
        keep_first_conv(tensors, model, "features.0.weight", params, task)
        whole = params.get("head") == "torchvision"
        loaded = {name: tensor for name, tensor in tensors.items() if whole or name.startswith("features.")}
        fit(model, loaded, model.classifier, source)


class Vgg16(Vgg):
    """14,713,536 weights below the head for grey images without batch norm, as in document 000; 14,714,688 for RGB."""

    name = "vgg16"
    summary = "VGG-16 with a compact, pooled, classic or torchvision head"
    depths = (2, 2, 3, 3, 3)


class Vgg19(Vgg):
    """20,037,831 weights for seven classes of grey images in the compact form.

    Document 002 lists the 4096 of the `torchvision` head: 139,597,767 without batch norm.
    """

    name = "vgg19"
    summary = "VGG-19 with a compact, pooled, classic or torchvision head"
    depths = (2, 2, 4, 4, 4)


def head_of(kind: str, side: int, dropout: float, classes: int) -> dict[str, "nn.Module"]:
    """Return what follows a map of 512 x side x side: its pool, its flattening and its linear layers."""
    from torch import nn

    pools = {"gap": nn.AdaptiveAvgPool2d(1), "torchvision": nn.AdaptiveAvgPool2d(7)}
    places = {"gap": 1, "torchvision": 7}.get(kind, side) ** 2
    return {
        "avgpool": pools.get(kind, nn.Identity()),
        "flatten": nn.Flatten(),
        "classifier": long_head(WIDTHS[-1] * places, dropout, classes)
        if kind in ("classic", "torchvision")
        else nn.Sequential(nn.Dropout(dropout), nn.Linear(WIDTHS[-1] * places, classes)),
    }


def long_head(size: int, dropout: float, classes: int) -> "nn.Sequential":
    """4096, 4096, classes, numbered as torchvision numbers them."""
    from torch import nn

    first = [nn.Linear(size, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(dropout)]
    second = [nn.Linear(HIDDEN, HIDDEN), nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return nn.Sequential(*first, *second, nn.Linear(HIDDEN, classes))


@hookimpl
def register_architectures(register):
    """Register `vgg16` and `vgg19`."""
    register(Vgg16())
    register(Vgg19())
