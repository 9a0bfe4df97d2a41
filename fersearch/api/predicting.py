"""The steps of a prediction, for callers that show its progress."""

from fersearch.data.video import film
from fersearch.evaluation.frames import FrameAnswer, FrameRows, frames_csv, predict_frames
from fersearch.evaluation.predict import (
    Prediction,
    Rows,
    Unreadable,
    check_plot,
    classes_of,
    csv_of,
    images_in,
    plot_predictions,
    predictions,
)

__all__ = [
    "FrameAnswer",
    "FrameRows",
    "Prediction",
    "Rows",
    "Unreadable",
    "check_plot",
    "classes_of",
    "csv_of",
    "film",
    "frames_csv",
    "images_in",
    "plot_predictions",
    "predict_frames",
    "predictions",
]
