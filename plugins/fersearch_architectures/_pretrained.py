"""Weights that torchvision trained on ImageNet, and their first convolution for grey images."""

from typing import TYPE_CHECKING

from fersearch import Choice, FersearchError, Task
from fersearch.space import Params

if TYPE_CHECKING:
    from torch import Tensor, nn

FIRST_CONV = Choice("sum", "random", search="sum")


def imagenet(name: str) -> dict[str, "Tensor"]:
    """Return torchvision's first ImageNet weights of a network: downloaded once, then read from torch's cache.

    Raises:
        FersearchError: they cannot be downloaded.
    """
    from torchvision.models import get_model_weights

    weights = get_model_weights(name).IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        file = str(weights.url).rpartition("/")[2]
        raise FersearchError(
            f"cannot download the ImageNet weights of {name}: {error}",
            f"get {file} from pytorch.org where there is a network, and give it: --weights FILE",
        ) from error


def keep_first_conv(tensors: dict[str, "Tensor"], model: "nn.Module", name: str, params: Params, task: Task) -> None:
    """Put the model's own first convolution in the place of the pretrained one, if `first_conv` is random.

    Otherwise a grey one becomes the sum of the RGB kernels when the weights are fitted. RGB images
    take the pretrained one as it is.
    """
    if params.get("first_conv") == "random" and task.channels != 3:
        tensors[name] = model.state_dict()[name]


def drop(layer: "nn.Module", share: float) -> None:
    """Drop inputs of a layer during training, without renaming its weights."""
    from torch.nn import functional

    if share:
        layer.register_forward_pre_hook(lambda module, inputs: functional.dropout(inputs[0], share, module.training))
