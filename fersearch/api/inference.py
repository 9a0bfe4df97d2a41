"""Predicting and evaluating piece by piece, for whoever shows how far it has come."""

from fersearch.evaluation.evaluate import (
    CheckpointEvaluation,
    evaluate_checkpoint,
    evaluate_folder,
    holds_checkpoints,
    write_csv,
)
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
from fersearch.evaluation.request import EvaluationRequest, Progress, open_input

__all__ = [
    "CheckpointEvaluation",
    "EvaluationRequest",
    "Prediction",
    "Progress",
    "Rows",
    "Unreadable",
    "check_plot",
    "classes_of",
    "csv_of",
    "evaluate_checkpoint",
    "evaluate_folder",
    "holds_checkpoints",
    "images_in",
    "open_input",
    "plot_predictions",
    "predictions",
    "write_csv",
]
