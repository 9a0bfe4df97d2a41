"""A residual connection around any layers."""

from torch import Tensor, nn


class Residual(nn.Sequential):
    """Layers in sequence whose output, of the shape of their input, is added to it."""

    def forward(self, images: Tensor) -> Tensor:
        """Return the images plus what the layers make of them."""
        return images + super().forward(images)
