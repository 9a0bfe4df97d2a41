"""The JSON records that `--json` prints and the web API returns, as pydantic models.

Names are stable: a later version may add some and keeps `schema`; one that changes or removes a name changes
`schema`. Each record of a list has its own `schema`; parts inside a record have none.
"""

from fersearch.api.records.base import Record, plain
from fersearch.api.records.charts import StudyChart, TrialChart
from fersearch.api.records.checkpoints import (
    Checkpoint,
    Ensemble,
    Evaluation,
    ExportedCheckpoint,
    FacePrediction,
    FailedEvaluation,
    FramePrediction,
    Garbage,
    Prediction,
    PulledCheckpoint,
    UploadedPrediction,
    evaluations,
)
from fersearch.api.records.comparisons import Comparison, Sweep
from fersearch.api.records.datasets import (
    Dataset,
    DatasetCheck,
    DatasetDetail,
    ExportedDataset,
    Plugin,
    PluginDetail,
    PreparedDataset,
    SystemCheck,
)
from fersearch.api.records.explanations import Explanation
from fersearch.api.records.finishes import Finish
from fersearch.api.records.service import Disk, Event, FinishProgress, Importance, NewToken, Owner, QueueEntry, Token
from fersearch.api.records.studies import (
    PlannedStudy,
    Study,
    StudyDetail,
    StudyEnqueue,
    StudyPause,
    StudyRun,
    StudyStop,
)
from fersearch.api.records.trials import FrontTrial, Rerun, Trial, TrialDetail

__all__ = [
    "Checkpoint",
    "Comparison",
    "Dataset",
    "DatasetCheck",
    "DatasetDetail",
    "Disk",
    "Ensemble",
    "Evaluation",
    "Event",
    "Explanation",
    "ExportedCheckpoint",
    "ExportedDataset",
    "FacePrediction",
    "FailedEvaluation",
    "Finish",
    "FinishProgress",
    "FramePrediction",
    "FrontTrial",
    "Garbage",
    "Importance",
    "NewToken",
    "Owner",
    "PlannedStudy",
    "Plugin",
    "PluginDetail",
    "Prediction",
    "PreparedDataset",
    "PulledCheckpoint",
    "QueueEntry",
    "Record",
    "Rerun",
    "Study",
    "StudyChart",
    "StudyDetail",
    "StudyEnqueue",
    "StudyPause",
    "StudyRun",
    "StudyStop",
    "Sweep",
    "SystemCheck",
    "Token",
    "Trial",
    "TrialChart",
    "TrialDetail",
    "UploadedPrediction",
    "evaluations",
    "plain",
]
