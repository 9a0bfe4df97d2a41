"""Draw `picture.svg` from a real run on drawn faces: `python studies/picture.py`.

The study is the one of README's first line with ten trials more and another seed, in a home of its own.
"""

import os
import tempfile
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from fersearch import api

PICTURE = Path(__file__).with_name("picture.svg")
STYLES = {  # state: colour, name in the legend
    "complete": ("#4477aa", "complete"),
    "pruned": ("#bbbbbb", "stopped early"),
}
FRONT = "#cc3311"


def run() -> str:
    """Run the study and return its name."""
    spec = api.create_study("cnn", "faces", trials=30, seed=1)
    api.run_study(spec.name)
    return spec.name


def draw_run(axes: Axes, name: str) -> None:
    """Draw the validation score of every trial by epoch."""
    front = {trial.number for trial in api.front(name).trials}
    for trial in api.list_trials(name):
        scores = [epoch.values["f1_macro"] for epoch in api.show_trial(name, trial.number).history]
        colour, _ = STYLES.get(trial.state.value, STYLES["pruned"])
        lead = trial.number in front
        axes.plot(
            range(1, len(scores) + 1),
            scores,
            color=FRONT if lead else colour,
            linewidth=1.6 if lead else 0.9,
            marker="" if len(scores) > 1 else ".",
            zorder=3 if lead else 2 if trial.state.value == "complete" else 1,
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel("macro F1 on validation")
    axes.set_title("A run: weak trials stop early")


def draw_front(axes: Axes, name: str) -> None:
    """Draw score against training time of the trials that ended, and the front through the best."""
    for state, (colour, label) in STYLES.items():
        ended = [trial for trial in api.list_trials(name) if trial.state.value == state and trial.values]
        points = [(trial.values["cpu_seconds"], trial.values["f1_macro"]) for trial in ended]
        axes.scatter(*zip(*points, strict=True), s=16, color=colour, label=f"{label} ({len(points)})")
    members = sorted((trial.values["cpu_seconds"], trial.values["f1_macro"]) for trial in api.front(name).trials)
    axes.scatter(*zip(*members, strict=True), s=26, color=FRONT, label=f"Pareto front ({len(members)})", zorder=3)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())  # the labels of two thirds of a decade overlap
    axes.set_xlabel("CPU seconds of training")
    axes.set_title("Its front: F1 against time and memory")
    axes.legend(loc="upper left", frameon=False, fontsize=8)


def main() -> None:
    """Run the study in a temporary home, and draw it."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "fersearch", "font.size": 9})
    with tempfile.TemporaryDirectory() as home:
        os.environ["FERSEARCH_HOME"] = home
        name = run()
        figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
        draw_run(left, name)
        draw_front(right, name)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
