"""Predicting piece by piece, for whoever shows how far it has come."""

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
    "Prediction",
    "Rows",
    "Unreadable",
    "check_plot",
    "classes_of",
    "csv_of",
    "images_in",
    "plot_predictions",
    "predictions",
]
