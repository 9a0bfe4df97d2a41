"""Residual networks (He et al. 2016, arXiv:1512.03385) as torchvision builds them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from fersearch import Architecture, Choice, FersearchError, Task, hookimpl
from fersearch.space import Dimension, Params

if TYPE_CHECKING:
    from torch import Tensor, nn

preload = ("torchvision.models.resnet",)


class ResNet18(Architecture):
    """torchvision's ResNet-18 with dropout before its classifier, for grey or RGB images.

    11,174,344 weights for eight classes of grey images. From pretrained weights, a grey first
    convolution is the sum of the RGB kernels (`first_conv` sum) or a new one (random). Batch norm
    after the first convolution belongs to the second stage, so that freezing all but the first
    and last trains conv1 and fc alone.
    """

    name = "resnet18"
    summary = "torchvision's ResNet-18, from scratch or from ImageNet weights"
    space: ClassVar[Mapping[str, Dimension]] = {"first_conv": Choice("sum", "random", search="sum")}
    stage_names = ("conv1", "layer1", "layer2", "layer3", "layer4", "fc")
    weights = ("imagenet",)

    def build(self, params: Params, task: Task) -> "nn.Module":
        from torch import nn
        from torchvision.models import resnet18

        model = resnet18(num_classes=task.num_classes)
        if task.channels != 3:
            model.conv1 = nn.Conv2d(task.channels, 64, 7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
        if params["dropout"]:
            drop(model.fc, float(params["dropout"]))
        return model

    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        from torch import nn

        first = nn.ModuleList([model.bn1, model.layer1])
        return [model.conv1, first, model.layer2, model.layer3, model.layer4, model.fc]

    def load_pretrained(self, model: "nn.Module", source: str, params: Params, task: Task) -> None:
        from fersearch.training.weights import fit

        tensors = imagenet()
        if params.get("first_conv") == "random" and task.channels != 3:
            tensors["conv1.weight"] = model.conv1.weight.detach()
        fit(model, tensors, model.fc, source)


def drop(layer: "nn.Module", share: float) -> None:
    """Drop inputs of a layer while it trains, without a new name for its weights."""
    from torch.nn import functional

    layer.register_forward_pre_hook(lambda module, given: functional.dropout(given[0], share, module.training))


def imagenet() -> dict[str, "Tensor"]:
    """torchvision's ImageNet weights: downloaded once, found in torch's cache after.

    Raises:
        FersearchError: they cannot be downloaded.
    """
    from torchvision.models import ResNet18_Weights

    try:
        return dict(ResNet18_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        raise FersearchError(
            f"cannot download the ImageNet weights of resnet18: {error}",
            "get resnet18-f37072fd.pth from pytorch.org where there is a network, and give it: --weights FILE",
        ) from error


@hookimpl
def register_architectures(register):
    """Bring `resnet18`."""
    register(ResNet18())
