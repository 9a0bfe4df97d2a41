"""Document 001's transfer networks: VGG-16 and ResNet-50 with new linear layers on the flattened map."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fersearch import Architecture, Task, hookimpl
from fersearch.space import Params
from fersearch_architectures._maps import last_side
from fersearch_architectures._pretrained import imagenet

if TYPE_CHECKING:
    from torch import nn

preload = ("torchvision.models.resnet", "torchvision.models.vgg")


class Vgg16Kirkvik(Architecture):
    """VGG-16's convolutions (Simonyan and Zisserman 2015, arXiv:1409.1556), then 4096, 1072, classes.

    21,215,431 weights for seven classes at 48x48, of which `freeze=all_but_last` trains 6,500,743,
    as the document does, starting from ImageNet weights. Grey images are repeated three times. The recipe's
    dropout acts before the classifier (0.2 there). The document only divides pixels
    by 255; here they are normalised as the dataset is, which no architecture decides.
    """

    name = "vgg16_kirkvik"
    summary = "document 001's VGG-16: ImageNet features under three new linear layers"
    stage_names = ("features", "head")
    weights = ("imagenet",)

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn

        side = last_side(self.name, task.image_size, lambda size: size // 32)
        layers = [nn.Linear(512 * side**2, 4096), nn.ReLU(), nn.Linear(4096, 1072), nn.ReLU()]
        last = [nn.Dropout(float(params["dropout"])), nn.Linear(1072, task.num_classes)]
        head = nn.Sequential(nn.Flatten(), *layers, *last)
        return nn.Sequential(OrderedDict(features=vgg16_features(task.channels), head=head))

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return list(model.children())

    def load_pretrained(self, model: "nn.Module", source: str, params: Params, task: Task) -> None:
        from fersearch.training.weights import fit

        fit(model, imagenet("vgg16"), model.head, source)


class ResNet50Kirkvik(Architecture):
    """ResNet-50's blocks (He et al. 2016, arXiv:1512.03385), then 512 and classes on the flattened map.

    27,706,439 weights for seven classes at 48x48, of which `freeze=all_but_last` trains 4,198,407, as the document
    does, starting from ImageNet weights. Grey images are repeated three times. The document has no dropout; the
    recipe's acts before the classifier. It only divides pixels by 255; here they are normalised as the dataset is,
    which no architecture decides. Its blocks are Keras's, with biases and their stride in the 1x1 convolution; these
    are torchvision's.
    """

    name = "resnet50_kirkvik"
    summary = "document 001's ResNet-50: ImageNet features under two new linear layers"
    stage_names = ("features", "head")
    weights = ("imagenet",)

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn
        from torchvision.models import resnet50

        backbone = resnet50(num_classes=1)
        named = [(name, layer) for name, layer in backbone.named_children() if name not in ("avgpool", "fc")]
        side = -(-task.image_size // 32)
        last = [nn.Dropout(float(params["dropout"])), nn.Linear(512, task.num_classes)]
        head = nn.Sequential(nn.Flatten(), nn.Linear(2048 * side**2, 512), nn.ReLU(), *last)
        return nn.Sequential(OrderedDict([("to_rgb", to_rgb(task.channels)), *named, ("head", head)]))

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        return [model[:-1], model[-1]]

    def load_pretrained(self, model: "nn.Module", source: str, params: Params, task: Task) -> None:
        from fersearch.training.weights import fit

        fit(model, imagenet("resnet50"), model.head, source)


def vgg16_features(channels: int) -> "nn.Sequential":
    """torchvision's VGG-16 without its classifier, under torchvision's names and first weights."""
    from torch import nn
    from torchvision.models.vgg import cfgs, make_layers

    layers = make_layers(cfgs["D"])
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return nn.Sequential(OrderedDict([("to_rgb", to_rgb(channels)), *layers.named_children()]))


def to_rgb(channels: int) -> "nn.Module":
    """Return the module that gives images three channels: grey ones are repeated."""
    from torch import nn

    from fersearch_architectures._repeat import Repeat

    return nn.Identity() if channels == 3 else Repeat()


@hookimpl
def register_architectures(register):
    """Register `vgg16_kirkvik` and `resnet50_kirkvik`."""
    register(Vgg16Kirkvik())
    register(ResNet50Kirkvik())
