"""An example of each record that the command line and the service give as JSON."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image

from fersearch.api import records
from fersearch.api.checkpoints import CheckpointRow
from fersearch.api.datasets import DatasetRow, DatasetView, Exported
from fersearch.api.enqueueing import EnqueuedView
from fersearch.api.plugins import PluginRow, PluginView
from fersearch.api.records import comparisons
from fersearch.api.results import DiskUse
from fersearch.api.studies import Best, StudyView, TrialView
from fersearch.data.verify import Report
from fersearch.engines.rerun import Changed, Compared, Rerun
from fersearch.ensembles.building import Added, Ensemble, Member
from fersearch.evaluation.evaluate import CheckpointEvaluation, EvaluationView
from fersearch.evaluation.finished import Finalist, Finish
from fersearch.evaluation.frames import FrameAnswer
from fersearch.evaluation.pulling import Pulled
from fersearch.evaluation.serving import Answer
from fersearch.export.keeping import ExportedModel
from fersearch.maintenance.doctor import Check
from fersearch.maintenance.garbage import Garbage, Heap
from fersearch.report.chart import StudyChart, TrialChart
from fersearch.report.derive import ClassScore
from fersearch.report.inputs import Measure
from fersearch.search.explanation import Explanation, Peer
from fersearch.space import Choice, Float, Int, Space
from fersearch.store import Look, StudySummary
from fersearch.store.events import StoredEvent
from fersearch.store.queue import Owner, Queued
from fersearch.store.tokens import Token
from fersearch.study import Budget, Change, Keep, Objective, Origin, Protocol, StudySpec, StudyState
from fersearch.study_front import Front
from fersearch.training.summary import Layer
from fersearch.trial import Attempt, Enqueued, Epoch, Reason, Trial, TrialState
from tests.api.evaluation_examples import EVALUATION, NEAR, PREDICTION, WHOLE

MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
DIGEST = "ab" * 32
OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"))
SPEC = StudySpec(
    name="cnn-faces",
    architecture="cnn",
    dataset="faces",
    objectives=OBJECTIVES,
    space=Space(
        {
            "optimizer": Choice("sgd", "adam"),
            "learning_rate": Float(1e-3, 0.1, log=True),
            "momentum": Float(0.0, 0.9, when={"optimizer": ("sgd",)}),
            "batch_size": Int(16, 128, log=True),
            "nesterov": Choice(True, False, when={"optimizer": ("sgd",)}),
        }
    ),
    dataset_options={"image_size": 48, "hardness": 0.5},
    budget=Budget(20, 1500.0),
    protocol=Protocol("kfold", (0.6, 0.2, 0.2), folds=5, repeats=2),
    seed=7,
    limit=600,
    refit=3,
    unseen=("jaffe=/data/jaffe",),
    keep=Keep("best", 5),
    stop_when_flat=5,
    observe=("mlflow", "tensorboard"),
    origin=Origin("earlier", DIGEST, 12, 3),
    changes=(Change("2026-03-01T12:30:00+00:00", 3, "learning_rate", "0.01..0.1 (log)", "0.001..0.1 (log)"),),
)
LOOK = Look(DIGEST, "faces", "test", 384, {"f1_macro": 0.5, "auc": math.nan}, MOMENT)
SUMMARY = StudySummary(
    "cnn-faces",
    OBJECTIVES,
    {"complete": 1, "pruned": 2},
    MOMENT,
    "cnn",
    "faces",
    (LOOK,),
    "sqlite:///x.db",
    StudyState.COMPLETE,
)
FINISH = Finish(
    "cnn-faces",
    "faces",
    7,
    "f1_macro",
    (11, 12),
    {"f1_macro": [0.5, 0.75], "auc_macro": [0.75, math.nan]},
    (0.5, 0.75),
    384,
    "split auto",
    (Finalist(7, 0.75, 0.125), Finalist(3, 0.5, 0.25)),
    "finish/cnn-faces",
    2,
    MOMENT,
)
FINAL = Look(DIGEST, "faces", "test", 384, FINISH.metrics(), MOMENT)
BEST = Best(7, "f1_macro", 0.75, (0.625, 0.875))
VIEW = StudyView(
    "cnn-faces",
    SPEC,
    MOMENT,
    {"complete": 1, "pruned": 2},
    "sqlite:///x.db",
    [LOOK],
    {"f1_macro": 0.05},
    95.5,
    [],
    "alone",
    {"path": "/data/faces"},
    ["plugins/own.py"],
    StudyState.STOPPED,
    enqueued=[Enqueued("id", {"learning_rate": 0.01})],
    ending="2026-03-01 12:30 UTC: the front's hypervolume has not grown for 5 complete trials, trial 4 to 8",
)
TRIAL = Trial(
    number=3,
    params={"optimizer": "sgd", "learning_rate": 0.01, "batch_size": 32, "nesterov": True},
    state=TrialState.PRUNED,
    values={"f1_macro": 0.5, "train_seconds": math.inf, "parameters": 169270},
    epochs=4,
    kept_epoch=3,
    checkpoint=DIGEST,
    attempts=(
        Attempt(1, Reason.OOM, "out of memory", "Traceback", 1, 2, 4.5, 41, "/logs/3-1.log", {"device": "cuda:0"}),
        Attempt(2, Reason.PRUNED, first_epoch=3, last_epoch=4, seconds=3.5, pid=42, log="/logs/3-2.log"),
    ),
    sampler_state={"enqueued": {"uid": "id", "given": {"optimizer": "sgd"}}},
    verdict={"stop": True, "rung": 4, "rank": 3, "peers": 4, "kept": 2, "reason": "stopped at epoch 4"},
    data_digest="cd" * 32,
)
RUNNING = Trial(0, {"optimizer": "adam"}, TrialState.RUNNING, attempts=(Attempt(1, pid=43, log="/logs/0-1.log"),))
RELEASED = Trial(1, {"optimizer": "adam"}, TrialState.COMPLETE, released="front")
HISTORY = [Epoch(3, {"f1_macro": 0.5, "valid_loss": math.nan}, 2.0, 1.5, ((1, 0), (0, 1)), 2)]
EXPLANATION = Explanation(
    3,
    TrialState.PRUNED,
    Reason.PRUNED,
    4,
    12,
    OBJECTIVES,
    stopped=True,
    rung=4,
    rank=2,
    peers=4,
    kept=1,
    own=Peer(3, 2, {"f1_macro": 0.25, "train_seconds": math.nan}, {"f1_macro": 0.0, "train_seconds": 0.0}),
    ahead=(Peer(1, 1, {"f1_macro": 0.5, "train_seconds": 9.5}, {"f1_macro": 0.25, "train_seconds": math.nan}, True),),
    projected=("train_seconds",),
    sentences=("pruned after 4 of 12 epochs",),
)
EXAMPLES: dict[str, Callable[[], "records.Record | list[records.Record]"]] = {
    "study": lambda: records.Study.of(SUMMARY),
    "study_detail": lambda: records.StudyDetail.of_view(VIEW),
    "planned_study": lambda: records.PlannedStudy.of(SPEC),
    "finish": lambda: records.Finish.of(FINISH),
    "finish_progress": lambda: records.FinishProgress(study="cnn-faces", trained="finish/cnn-faces", finish=None),
    "study_finished": lambda: records.StudyDetail.of_view(
        replace(VIEW, looks=[FINAL], finish=FINISH, warnings=["test was opened before"], best=BEST)
    ),
    "study_run": lambda: records.StudyRun.of_run(VIEW, Front("cnn-faces", [TRIAL], OBJECTIVES, {})),
    "study_stop": lambda: records.StudyStop(name="cnn-faces", stopping=True),
    "study_enqueue": lambda: records.StudyEnqueue.of(
        EnqueuedView("cnn-faces", {"optimizer": "sgd", "learning_rate": 0.01}, False, 2, 21, 20)
    ),
    "study_pause": lambda: records.StudyPause(name="cnn-faces", pausing=True),
    "trial": lambda: records.Trial.of(TRIAL),
    "front_trial": lambda: records.FrontTrial.of_front(Front("cnn-faces", [TRIAL], OBJECTIVES, {})),
    "trial_detail": lambda: records.TrialDetail.of_view(TrialView(TRIAL, HISTORY)),
    "trial_running": lambda: records.TrialDetail.of_view(TrialView(RUNNING, [])),
    "trial_released": lambda: records.TrialDetail.of_view(TrialView(RELEASED, [])),
    "rerun": lambda: records.Rerun.of(
        Rerun(
            "cnn-faces",
            1,
            7,
            12,
            (9, 8),
            (Compared("f1_macro", 0.5, 0.375, True), Compared("train_seconds", None, 4.5, False)),
            (Changed("threads", "2", "1"),),
            Path("again"),
        )
    ),
    "checkpoint": lambda: records.Checkpoint.of(CheckpointRow(3, DIGEST, 9, 0.75, {"f1_macro": 0.5})),
    "pulled_checkpoint": lambda: records.PulledCheckpoint.of(Pulled(Path("out"), 3, {"f1_macro": 0.5})),
    "pulled_cheapest": lambda: records.PulledCheckpoint.of(
        Pulled(Path("out"), 3, {"f1_macro": 0.5}, given_up="best is trial 7: +0.012 f1_macro, 3.1x time; --prefer best")
    ),
    "exported_checkpoint": lambda: records.ExportedCheckpoint.of(
        ExportedModel(
            Path("out/model.onnx"),
            {
                "file": "model.onnx",
                "bytes": 703343,
                "digest": DIGEST,
                "opset": 20,
                "parity": {"max_difference": 3.6e-07, "n": 1000, "parity_on": "valid"},
                "quantization": None,
                "latency": {"median_ms": 0.15, "batch": 1, "threads": 1, "runs": 200},
            },
        )
    ),
    "garbage": lambda: records.Garbage.of(
        Garbage("sqlite:///x.db", True, ("mine",), {"orphaned": Heap(2, 2**21)}, 1, {"sqlite:///y.db": "no file"})
    ),
    "queue_entry": lambda: records.QueueEntry.of(
        Queued(1, "cnn-faces", "ada", MOMENT, {"trials": 40}, trials_left=12, running=True, claimed=(0, 1)), 1, (0, 1)
    ),
    "disk": lambda: records.Disk.of("ada", DiskUse(3, 1_572_864, 1, 524_288)),
    "owner": lambda: records.Owner.of(Owner("ada", 2.0, 4)),
    "token": lambda: records.Token.of(Token("laptop", "run", "ada", 3, MOMENT)),
    "new_token": lambda: records.NewToken(name="laptop", role="run", token="fer_x"),
    "event": lambda: records.Event.of(
        StoredEvent("epoch", 3, {"epoch": 2, "values": {"f1_macro": 0.5}}, 1, "cnn-faces", 17, MOMENT)
    ),
    "importance": lambda: records.Importance(
        method="fANOVA", needed=10, objectives={"f1_macro": {"learning_rate": 0.75, "batch_size": 0.25}}
    ),
    "explanation": lambda: records.Explanation.of(EXPLANATION),
    "frame_prediction": lambda: records.FramePrediction.of(
        FrameAnswer(12, 0.48, [PREDICTION], Image.new("RGB", (4, 4)))
    ),
    "uploaded_prediction": lambda: records.UploadedPrediction.of(
        "a.png", Answer([PREDICTION], 640, 480, ["no face was found"])
    ),
    "study_chart": lambda: records.StudyChart.of(
        StudyChart(
            OBJECTIVES,
            {"f1_macro": Measure("f1_macro"), "train_seconds": Measure("train_seconds", "min", "s", log=True)},
            [0, 1],
            ["complete", "pruned"],
            [12, 3],
            {"f1_macro": [0.5, 0.25], "train_seconds": [9.5, None]},
            {"optimizer": ["adam", None]},
            [0],
            [(1, 1.0)],
            {1: {"stop": True, "rung": 3, "rank": 4, "peers": 4}},
            {"f1_macro": 0.05},
            {"best": 0, "cheapest": 0, "knee": 0},
            disturbed=[1],
        )
    ),
    "trial_chart": lambda: records.TrialChart.of(
        TrialChart(("anger", "neutral"), [[3, 1], [0, 4]], [ClassScore("anger", 1.0, 0.75, math.nan, 4)])
    ),
    "prediction": lambda: records.Prediction.of(PREDICTION),
    "face_prediction": lambda: records.FacePrediction.of(PREDICTION),
    "evaluation": lambda: records.Evaluation.of(EvaluationView(**EVALUATION)),
    "evaluation_of_other_classes": lambda: records.Evaluation.of(
        EvaluationView(
            **EVALUATION,
            shared={"anger": "anger", "neutral": "neutral"},
            left_out={"contempt": 2},
            spare=("fear",),
            full=WHOLE,
            per_source={"jaffe": {"n": 3, "accuracy": 0.75}},
            duplicates=1,
        )
    ),
    "evaluations": lambda: records.evaluations(
        [
            CheckpointEvaluation(Path("a"), EvaluationView(**EVALUATION)),
            CheckpointEvaluation(Path("b"), error=None),
        ]
    ),
    "ensemble": lambda: records.Ensemble.of(
        Ensemble(
            Path("ens"),
            "stacking",
            DIGEST,
            OBJECTIVES[0],
            (Member("a", 4, DIGEST, 2.0, "1-a-4.safetensors"),),
            (Added("a", 4, 0.6, True),),
            300,
            0.7,
            0.6,
            0.625,
            0.59,
            {"parameters": 338540.0},
        )
    ),
    "dataset": lambda: records.Dataset.of(DatasetRow("faces", "drawn faces", "Apache-2.0", None)),
    "dataset_detail": lambda: records.DatasetDetail.of(
        DatasetView(
            "merged",
            "several datasets",
            "mixed",
            "/data",
            {"channels": 1},
            "majority",
            ("anger",),
            {"train": {"n": 2, "per_class": {"anger": 2}, "baseline": 1.0}},
            ("one class only",),
            {"faces": {"n": 2}},
        )
    ),
    "dataset_check": lambda: records.DatasetCheck.of(
        Report("faces", ("anger",), {"train": {"n": 2, "per_class": {"anger": 2}}}, (("constant", "none"),), (), NEAR)
    ),
    "prepared_dataset": lambda: records.PreparedDataset.of("faces", Path("prepared")),
    "exported_dataset": lambda: records.ExportedDataset.of("faces", Exported(Path("out"), {"train": 2, "valid": 1})),
    "plugin": lambda: records.Plugin.of(PluginRow("architecture", "cnn", "fersearch_architectures.cnn", "a network")),
    "plugin_detail": lambda: records.PluginDetail.of(
        PluginView(
            "architecture",
            "cnn",
            "fersearch_architectures.cnn",
            "a network",
            {"width": "16, 32"},
            {"total": 10, "trainable": 8},
            {"stages": "features, head"},
            [Layer("0", "Conv2d", (16, 46, 46), 10, 8)],
        )
    ),
    "system_check": lambda: records.SystemCheck.of(Check("home", "ok", "in /home", "", {"free_mb": 20480})),
    "comparison": lambda: records.Comparison(
        metrics=["f1_macro:max"],
        studies=[
            comparisons.ComparedTrial(
                study="a",
                trial=1,
                model="cnn",
                dataset="faces",
                classes=["anger"],
                n_valid=[60],
                protocol="5 folds",
                values={"f1_macro": 0.5},
                rounds={"1": {"f1_macro": math.nan}},
            )
        ],
        comparable=[["a", "b"]],
        tests={
            "f1_macro": comparisons.Tests(
                tested=[
                    comparisons.PairedTest(
                        a="a",
                        b="b",
                        n=5,
                        difference=0.1,
                        low=-0.1,
                        high=0.3,
                        wilcoxon=0.06,
                        t=0.05,
                        corrected=0.1,
                        holm=0.2,
                        d=1.25,
                        r=math.nan,
                        notes=[],
                    )
                ],
                untested=[comparisons.UntestedPair(a="a", b="c", why="other folds")],
            )
        },
        rankings={
            "f1_macro": comparisons.Rankings(
                ranked=[
                    comparisons.Ranking(
                        over="rounds of faces",
                        n=5,
                        entries=[comparisons.RankedEntry(label="a", mean_rank=1.5)],
                        chi2=6.5,
                        p=0.04,
                        f=math.inf,
                        p_f=0.02,
                        w=0.65,
                        critical_difference=1.48,
                        notes=["rough"],
                    )
                ],
                undefined=["b: 2 rounds in common; 3 are needed"],
            )
        },
        warnings=[],
        page=None,
    ),
    "sweep": lambda: records.Sweep(
        study="a",
        factor="optimizer",
        metrics=["f1_macro:max"],
        values=[comparisons.FactorValue(value="sgd", trials=[0, 2])],
        equal_elsewhere=[0],
        page="out/index.html",
    ),
}
