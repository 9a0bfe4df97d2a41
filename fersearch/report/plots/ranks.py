"""The diagram of critical differences: mean ranks on a line, bars over entries that do not differ."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fersearch.report.plots import style

STEP = 0.34
"""Inches between two labels."""


def critical_difference(
    labels: Sequence[str], means: Sequence[float], critical: float, cliques: Sequence[Sequence[int]]
) -> Figure:
    """Return Demsar's diagram: the better half named on the left, the others on the right.

    `cliques` are the sets of entries, by index, that do not differ significantly.
    """
    order = sorted(range(len(means)), key=lambda i: means[i])
    left = order[: (len(order) + 1) // 2]
    rows = len(left)
    depth = STEP * (rows + 1) + 0.16 * len(cliques)
    figure, (axis,) = style.panels(1, width=7.6, height=1.0 + depth)
    axis.set(xlim=(0.4, len(means) + 0.6), ylim=(depth, -0.7))
    axis.axis("off")
    _line(axis, len(means))
    _ruler(axis, critical)
    for place, clique in enumerate(cliques):
        ends = [means[i] for i in clique]
        height = 0.16 * (place + 1)
        axis.plot([min(ends) - 0.04, max(ends) + 0.04], [height] * 2, color=style.RED, linewidth=3.2)
    below = 0.16 * len(cliques) + STEP
    for place, i in enumerate(left):
        _entry(axis, labels[i], means[i], below + STEP * place, is_left=True, edge=0.8)
    for place, i in enumerate(reversed(order[rows:])):
        _entry(axis, labels[i], means[i], below + STEP * place, is_left=False, edge=len(means) + 0.2)
    return figure


def _line(axis: Axes, count: int) -> None:
    axis.plot([1, count], [0, 0], color=style.INK, linewidth=1.2)
    for rank in range(1, count + 1):
        axis.plot([rank, rank], [0, -0.08], color=style.INK, linewidth=1.2)
        axis.text(rank, -0.12, str(rank), ha="center", va="bottom", fontsize=8)


def _ruler(axis: Axes, critical: float) -> None:
    axis.plot([1, 1 + critical], [-0.42] * 2, color=style.GREY, linewidth=1.6, marker="|", clip_on=False)
    axis.text(1 + critical / 2, -0.46, f"critical difference {critical:.2f}", ha="center", va="bottom", fontsize=8)


def _entry(axis: Axes, label: str, mean: float, height: float, *, is_left: bool, edge: float) -> None:
    axis.plot([mean, mean, edge], [0, height, height], color=style.GREY, linewidth=1)
    text = f"{label}  {mean:.2f} " if is_left else f" {mean:.2f}  {label}"
    axis.text(edge, height, text, ha="right" if is_left else "left", va="center", fontsize=8.5, clip_on=False)
