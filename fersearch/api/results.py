"""The types that the verbs return, for annotations."""

from fersearch.api.checkpoints import CheckpointRow
from fersearch.api.datasets import DatasetRow, DatasetView, Exported
from fersearch.api.enqueueing import EnqueuedView
from fersearch.api.plugins import PluginRow, PluginView
from fersearch.api.studies import Best, StudyView, TrialView
from fersearch.data.verify import Report
from fersearch.engines.rerun import Compared, Rerun
from fersearch.ensembles.building import Ensemble
from fersearch.evaluation.evaluate import CheckpointEvaluation, EvaluationView
from fersearch.evaluation.finished import Finalist, Finish
from fersearch.evaluation.frames import FrameAnswer
from fersearch.evaluation.predict import Prediction
from fersearch.evaluation.pulling import Pulled
from fersearch.evaluation.serving import Answer
from fersearch.export.keeping import ExportedModel
from fersearch.maintenance.doctor import Check
from fersearch.maintenance.garbage import Garbage
from fersearch.notebook import Trials
from fersearch.report.chart import StudyChart, TrialChart
from fersearch.report.folder import Written
from fersearch.report.shown import Grid, Line
from fersearch.search.explanation import Explanation, Peer
from fersearch.store import Look, StudyRow, StudySummary
from fersearch.store.events import StoredEvent
from fersearch.store.queue import DiskUse, Owner, Queued
from fersearch.store.tokens import Token
from fersearch.study_front import Front
from fersearch.training.evaluate import Scores
from fersearch.training.summary import Layer

__all__ = [
    "Answer",
    "Best",
    "Check",
    "CheckpointEvaluation",
    "CheckpointRow",
    "Compared",
    "DatasetRow",
    "DatasetView",
    "DiskUse",
    "EnqueuedView",
    "Ensemble",
    "EvaluationView",
    "Explanation",
    "Exported",
    "ExportedModel",
    "Finalist",
    "Finish",
    "FrameAnswer",
    "Front",
    "Garbage",
    "Grid",
    "Layer",
    "Line",
    "Look",
    "Owner",
    "Peer",
    "PluginRow",
    "PluginView",
    "Prediction",
    "Pulled",
    "Queued",
    "Report",
    "Rerun",
    "Scores",
    "StoredEvent",
    "StudyChart",
    "StudyRow",
    "StudySummary",
    "StudyView",
    "Token",
    "TrialChart",
    "TrialView",
    "Trials",
    "Written",
]
