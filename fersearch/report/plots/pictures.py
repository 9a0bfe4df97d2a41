"""Images in rows and columns, also beside a model's predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fersearch.report.plots import style

Image = np.ndarray[Any, Any]
GAP = 0.06
"""Space between images as a share of their side."""


def pictures(
    rows: Sequence[Sequence[Image]], row_names: Sequence[str] = (), column_names: Sequence[str] = (), side: float = 0.95
) -> Figure:
    """Return images (uint8, channels x size x size) as one picture; `side` of an image in inches. Rows may be short."""
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


@dataclass(frozen=True)
class Answer:
    """An image (uint8, height x width x 3), the classified face in it, and the share of each class."""

    name: str
    image: "np.ndarray[Any, Any]"
    shares: Mapping[str, float]
    box: tuple[int, int, int, int] | None = None


def answers(predictions: Sequence[Answer]) -> Figure:
    """Return a row for each image: the image, its face framed, and a bar for each class, the largest in colour."""
    figure, axes = style.panels(2 * len(predictions), columns=2, width=6.4, height=2.2)
    for one, (picture, bars) in zip(predictions, zip(axes[::2], axes[1::2], strict=True), strict=True):
        picture.imshow(one.image)
        picture.set_axis_off()
        picture.set_title(one.name if len(one.name) < 40 else f"...{one.name[-37:]}")
        if one.box:
            left, top, width, height = one.box
            picture.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=style.RED, linewidth=1.5))
        names, shares = list(one.shares), list(one.shares.values())
        best = int(np.argmax(shares))
        colours = [style.BLUE if place == best else style.GREY for place in range(len(names))]
        drawn = bars.barh(range(len(names)), shares, color=colours)
        bars.bar_label(drawn, [f"{share:.2f}" for share in shares], padding=2, fontsize=7)
        bars.set_yticks(range(len(names)), names)
        bars.invert_yaxis()
        bars.set_xlim(0, 1.12)
        bars.set_title(f"{names[best]}, {shares[best]:.0%}")
        bars.grid(axis="y", visible=False)
    return figure
