"""What a model says about images: each image beside the bars of its classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fersearch.report.plots import style


@dataclass(frozen=True)
class Answer:
    """An image (uint8, height x width x 3), the face in it that was judged, and the share of each class."""

    name: str
    image: "np.ndarray[Any, Any]"
    shares: Mapping[str, float]
    box: tuple[int, int, int, int] | None = None


def answers(found: Sequence[Answer]) -> Figure:
    """A row for each image: the image, its face framed, and a bar for each class, the largest in colour."""
    figure, axes = style.panels(2 * len(found), columns=2, width=6.4, height=2.2)
    for one, (picture, bars) in zip(found, zip(axes[::2], axes[1::2], strict=True), strict=True):
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
