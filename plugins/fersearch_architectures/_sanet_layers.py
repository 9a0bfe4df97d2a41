"""The two layers that relate distant places of a map, as `sanet` uses them."""

import torch
from torch import Tensor, nn


class SelfAttention(nn.Module):
    """Adds to each place of a map a mean of all places, weighted by how well they match.

    Zhang et al. 2019 (arXiv:1805.08318): queries and keys of an eighth of the channels and values
    of all, each by a 1x1 convolution; softmax over the places; the sum enters by a learned factor
    that starts at 0. Images (n, c, h, w) to the same shape; memory grows with (h * w)**2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 8, 1)
        self.key = nn.Conv2d(channels, channels // 8, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """Return x + gamma * attention(x)."""
        query, key, value = (layer(x).flatten(2) for layer in (self.query, self.key, self.value))
        weights = (query.transpose(1, 2) @ key).softmax(dim=-1)  # (n, places, places)
        seen = value @ weights.transpose(1, 2)
        return x + self.gamma * seen.view_as(x)


class RowsAndColumns(nn.Module):
    """Puts beside a map what two recurrent layers make of its rows and of its columns.

    Each is a gated recurrent unit that reads both ways with a quarter of the channels each way:
    images (n, c, h, w) to (n, 2c, h, w).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rows = nn.GRU(channels, channels // 4, batch_first=True, bidirectional=True)
        self.columns = nn.GRU(channels, channels // 4, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the map, its rows and its columns, one after the other."""
        columns = _along_rows(self.columns, x.transpose(2, 3)).transpose(2, 3)
        return torch.cat([x, _along_rows(self.rows, x), columns], dim=1)


def _along_rows(layer: nn.GRU, x: Tensor) -> Tensor:
    """Run a recurrent layer along each row: (n, c, h, w) to (n, out, h, w)."""
    count, _, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).flatten(0, 1)
    return layer(rows)[0].view(count, height, width, -1).permute(0, 3, 1, 2)
