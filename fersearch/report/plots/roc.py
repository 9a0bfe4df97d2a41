"""ROC curves of several classes."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from fersearch.report.evidence import Roc
from fersearch.report.plots import style


def roc(curves: Sequence[Roc]) -> Figure:
    """True against false positive rate, with each curve's area in the legend; the diagonal is chance."""
    figure, (axis,) = style.panels(1, width=7.0, height=4.4)
    axis.plot([0, 1], [0, 1], color=style.GREY, linestyle="dashed", linewidth=1)
    for place, curve in enumerate(curves):
        colour, line = style.stroke(place)
        given: dict[str, Any] = {"color": colour, "linestyle": line}
        if curve.pooled:
            given = {"color": style.INK, "linewidth": 2.2}
        axis.plot(curve.false_positive, curve.true_positive, label=f"{curve.name}: {curve.area:.3f}", **given)
    axis.set(xlabel="false positive rate", ylabel="true positive rate", aspect="equal")
    axis.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axis.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), title="area under the curve", title_fontsize=8)
    return figure
