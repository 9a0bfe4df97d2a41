"""Predicting and evaluating piece by piece, for whoever shows how far it has come."""

from fersearch.evaluation.evaluate import Examined, evaluate_folder, holds_checkpoints, judge, write_csv
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
from fersearch.evaluation.request import Exam, Progress, sit

__all__ = [
    "Exam",
    "Examined",
    "Prediction",
    "Progress",
    "Rows",
    "Unreadable",
    "check_plot",
    "classes_of",
    "csv_of",
    "evaluate_folder",
    "holds_checkpoints",
    "images_in",
    "judge",
    "plot_predictions",
    "predictions",
    "sit",
    "write_csv",
]
