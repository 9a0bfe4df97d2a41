"""Records of studies made by hand: any number of trials, with or without rounds."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from fersearch.report import derive
from fersearch.report.inputs import Data, Measure, Predictions, Record
from fersearch.search.front import front
from fersearch.space import Choice, Float, Int, Space
from fersearch.store.records import Look
from fersearch.study import Budget, Objective, Protocol, StudySpec
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState

CLASSES = ("anger", "joy & hope", "fear_100%")
OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"), Objective("peak_memory_mb", "min"))
SPACE = Space(
    {
        "epochs": Int(3, 3),
        "batch_size": Choice(32, 64),
        "optimizer": Choice("sgd", "adam"),
        "learning_rate": Float(1e-4, 0.1, log=True),
        "momentum": Float(0.8, 0.99, when={"optimizer": ("sgd",)}),
        "dropout": Float(0.0, 0.5),
        "nesterov": Choice(False, True),
    }
)
SPEC = StudySpec("mine", "cnn", "faces", OBJECTIVES, SPACE, dataset_options={"image_size": 8}, budget=Budget(6))
MEASURES = {
    "f1_macro": Measure("f1_macro"),
    "accuracy": Measure("accuracy"),
    "train_seconds": Measure("train_seconds", "min", "s", True),
    "peak_memory_mb": Measure("peak_memory_mb", "min", "MB", True),
}
MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
BASELINE = {"f1_macro": 0.17, "accuracy": 0.34}


def epoch(number: int, f1: float, round: int = 1, matrix: object = ((4, 1, 0), (1, 3, 1), (2, 0, 3))) -> Epoch:
    losses = {"train_loss": 2.0 / number, "valid_loss": 2.2 / number}
    scores = {"f1_macro": f1, "accuracy": f1 + 0.05, "auc_macro": 0.8, "recall_macro": f1, "precision_macro": f1}
    values = {**losses, **scores, "train_seconds": 2.0 * number, "peak_memory_mb": 40.0}
    return Epoch(number, values, 2.0, 2.0, [list(row) for row in matrix], round)  # type: ignore[attr-defined]


def trial(number: int, rounds: int = 1, **changes: object) -> Trial:
    """A complete trial of three epochs a round with random parameters and values."""
    random = np.random.default_rng(number)
    optimizer = ("sgd", "adam")[number % 2]
    params = {
        "epochs": 3,
        "batch_size": int(random.choice([32, 64])),
        "optimizer": optimizer,
        "learning_rate": float(10 ** random.uniform(-4, -1)),
        **({"momentum": float(random.uniform(0.8, 0.99))} if optimizer == "sgd" else {}),
        "dropout": float(random.uniform(0, 0.5)),
        "nesterov": bool(random.integers(2)),
    }
    f1 = float(random.uniform(0.2, 0.7))
    values = {"f1_macro": f1, "accuracy": f1 + 0.05, "train_seconds": float(random.uniform(2, 60))}
    values |= {"peak_memory_mb": float(random.uniform(20, 900)), "train_loss": 1.0, "valid_loss": 1.2}
    if rounds > 1:
        values |= {f"{name}_std": 0.1 * value for name, value in values.items()}
    defaults = {
        "params": params,
        "state": TrialState.COMPLETE,
        "values": values,
        "epochs": 3 * rounds,
        "kept_epoch": 2,
        "checkpoint": f"{number:064x}",
        "attempts": (Attempt(1, Reason.DONE, seconds=9.0, facts={"device_name": "Test CPU"}),),
    }
    return Trial(number, **{**defaults, **changes})  # type: ignore[arg-type]


def history(rounds: int = 1) -> list[Epoch]:
    return [epoch(3 * k + i + 1, 0.3 + 0.1 * i + 0.02 * k, k + 1) for k in range(rounds) for i in range(3)]


def predictions(n: int = 60) -> Predictions:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, n)
    scores = random.random((n, 3)).astype(np.float32) + 0.5 * np.eye(3, dtype=np.float32)[labels]
    images = random.integers(0, 256, (100, 1, 8, 8), dtype=np.uint8)
    return Predictions(scores / scores.sum(1, keepdims=True), labels, images, np.arange(20, 20 + n))


DATA = Data(
    CLASSES,
    {
        "train": {"n": 90, "per_class": dict.fromkeys(CLASSES, 30)},
        "valid": {"n": 60, "per_class": dict.fromkeys(CLASSES, 20)},
    },
    digest="ab" * 32,
    image_size=8,
    channels=1,
    licence="Drawings.",
)


def record(count: int = 6, rounds: int = 1, **changes: object) -> Record:
    """A whole record of so many complete trials."""
    trials = [trial(number, rounds) for number in range(count)]
    chosen = derive.best_first(trials, OBJECTIVES[0])[:5]
    spec = SPEC if rounds == 1 else replace(SPEC, protocol=Protocol("kfold", folds=rounds))
    defaults = {
        "spec": spec,
        "created": MOMENT,
        "written": MOMENT,
        "version": "1.2.3",
        "seconds": 600.0,
        "trials": trials,
        "front": front(trials, OBJECTIVES, BASELINE),
        "chosen": chosen,
        "epochs": {one.number: history(rounds) for one in trials},
        "histories": {one.number: history(rounds) for one in chosen},
        "measures": MEASURES,
        "baseline": BASELINE,
        "data": DATA,
        "predictions": predictions(),
        "environments": [{"host": "box", "packages": {"torch": "2.6", "numpy": "2.0"}}],
    }
    return Record(**{**defaults, **changes})  # type: ignore[arg-type]


def look(**metrics: float) -> Look:
    return Look(f"{0:064x}", "faces", "test", 50, metrics, MOMENT)
