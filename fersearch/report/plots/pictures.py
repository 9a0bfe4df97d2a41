"""Images in rows and columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fersearch.report.plots import style

Image = np.ndarray[Any, Any]
GAP = 0.06
"""Space between images as a share of their side."""


def pictures(
    rows: Sequence[Sequence[Image]], row_names: Sequence[str] = (), column_names: Sequence[str] = (), side: float = 0.95
) -> Figure:
    """Images (uint8, channels x size x size) as one picture; `side` of an image in inches. Rows may be short."""
    columns = max(map(len, rows))
    size = next(image.shape[-1] for row in rows for image in row)
    gap = max(1, round(GAP * size))
    step = size + gap
    canvas = np.zeros((len(rows) * step - gap, columns * step - gap, 4), np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            place = canvas[i * step : i * step + size, j * step : j * step + size]
            place[:, :, :3] = image.transpose(1, 2, 0)
            place[:, :, 3] = 255
    longest = max(map(len, row_names), default=0)
    wide, high = side * columns * (1 + GAP) + 0.075 * longest + 0.1, side * len(rows) * (1 + GAP) + 0.3
    figure, (axis,) = style.panels(1, width=wide, height=high)
    axis.imshow(canvas, interpolation="nearest")
    axis.set_xticks([j * step + size / 2 for j in range(len(column_names))], column_names)
    axis.set_yticks([i * step + size / 2 for i in range(len(row_names))], row_names)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    return figure
