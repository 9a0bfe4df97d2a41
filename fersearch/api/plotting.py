"""Predictions as a picture."""

from collections.abc import Sequence
from pathlib import Path

from fersearch.api.examining import refuse_existing_file
from fersearch.api.predicting import Prediction
from fersearch.errors import UsageError
from fersearch.files import write_atomic

MOST = 40  # images in one picture
SUFFIXES = (".png", ".svg")


def check_plot(file: Path, count: int, force: bool = False) -> None:
    """Raise UsageError unless so many predictions may be drawn into a file."""
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(f"cannot draw into {file}", "give a file that ends in .png or .svg")
    if count > MOST:
        raise UsageError(f"{count} images are too many for one picture", f"draw {MOST} or fewer, or write a --csv")
    refuse_existing_file(file, force)


def plot_predictions(found: Sequence[Prediction], file: Path, force: bool = False) -> None:
    """Draw each image beside the bars of its classes, into a PNG or SVG file.

    Raises:
        UsageError: the file exists, is of another kind, or there are too many images for one picture.
    """
    import numpy as np

    from fersearch.data.images import upright
    from fersearch.report.plots import style
    from fersearch.report.plots.answers import Answer, answers

    check_plot(file, len(found), force)
    with style.styled():
        drawn = [
            Answer(
                Path(one.image).name, np.asarray(upright(Path(one.image)).convert("RGB")), one.probabilities, one.box
            )
            for one in found
        ]
        svg, png = style.render(answers(drawn))
    write_atomic(file, svg.encode() if file.suffix.lower() == ".svg" else png)
