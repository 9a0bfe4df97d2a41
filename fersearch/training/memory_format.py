"""Memory formats: the order of the values of images and of convolutions' weights in memory.

Contiguous: one channel after the other. Channels last: all channels of a pixel next to each other, which is faster
for many convolutions. Results are the same up to rounding.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

MemoryFormat = Literal["contiguous", "channels_last"]
_TORCH: dict[MemoryFormat, torch.memory_format] = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
}


def resolve_format(requested: str) -> MemoryFormat:
    """Return the memory format that a request resolves to: contiguous unless channels_last is requested."""
    return "channels_last" if requested == "channels_last" else "contiguous"


def arranged(images: Tensor, memory_format: MemoryFormat) -> Tensor:
    """Return images (n, channels, height, width) in a memory format; tensors of other dimensions unchanged.

    They are copied only if they are in the other format. With one channel both formats have the same bytes, and only
    the strides differ.
    """
    if images.dim() != 4:
        return images
    if memory_format == "channels_last" and images.shape[1] == 1 and images.is_contiguous():
        return images.contiguous().view(len(images), *images.shape[2:], 1).permute(0, 3, 1, 2)
    return images.contiguous(memory_format=_TORCH[memory_format])


def arrange(model: nn.Module, memory_format: MemoryFormat) -> nn.Module:
    """Put the weights of a model's convolutions into a memory format, in place; return the model.

    Weights that only a first forward pass creates (torch's lazy modules) keep their format.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if not is_lazy(tensor) and tensor.dim() == 4:
            tensor.data = tensor.data.to(memory_format=_TORCH[memory_format])
    return model


def format_of(images: Tensor) -> MemoryFormat:
    """Return the memory format of images; contiguous where they are in both."""
    is_last = images.dim() == 4 and not images.is_contiguous()
    return "channels_last" if is_last and images.is_contiguous(memory_format=torch.channels_last) else "contiguous"
