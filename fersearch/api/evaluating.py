"""The steps of an evaluation, for callers that show its progress."""

from fersearch.evaluation.evaluate import (
    CheckpointEvaluation,
    EvaluationView,
    evaluate_checkpoint,
    evaluate_folder,
    holds_checkpoints,
    write_csv,
)
from fersearch.evaluation.request import EvaluationRequest, Progress, open_input

__all__ = [
    "CheckpointEvaluation",
    "EvaluationRequest",
    "EvaluationView",
    "Progress",
    "evaluate_checkpoint",
    "evaluate_folder",
    "holds_checkpoints",
    "open_input",
    "write_csv",
]
