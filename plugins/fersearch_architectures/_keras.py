"""What Keras does to a layer and torch does not: its first weights, its norm constraint, its l2 regulariser."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


def glorot(model: "nn.Module") -> None:
    """Give convolutions and linear layers the first weights of Keras, in place.

    Uniform within sqrt(6 / (fan in + fan out)), biases 0 (Glorot and Bengio 2010). torch's own are
    uniform within sqrt(1 / fan in), biases too.
    """
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def limit_norm(layer: "nn.Conv2d", most: float) -> None:
    """Shorten each filter that is longer than `most` before the layer is used: Keras's `max_norm`.

    The weights that an optimizer's step has left are so projected before they are seen again. A
    frozen layer stays as it is.
    """
    import torch

    def project(module: "nn.Module", _: Any) -> None:
        if module.weight.requires_grad:
            with torch.no_grad():
                module.weight.copy_(torch.renorm(module.weight, 2, 0, most))

    layer.register_forward_pre_hook(project)


def penalise(weight: "Tensor", strength: float) -> None:
    """Train a weight as if strength * sum(weight**2) stood in the loss: Keras's `regularizers.l2`.

    The reported loss leaves it out; the gradient is that of the sum.
    """
    weight.register_hook(lambda grad: grad + 2 * strength * weight.detach())
