"""Records made by hand, and the text that a renderable becomes at a fixed width."""

import io
from datetime import UTC, datetime

from rich.console import Console, RenderableType

from fersearch.space import Choice, Float, Space
from fersearch.study import Budget, Objective, StudySpec
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState

OBJECTIVES = (Objective("f1_macro", "max"), Objective("train_seconds", "min"), Objective("peak_memory_mb", "min"))
CREATED = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
SPEC = StudySpec(
    name="cnn-faces",
    architecture="cnn",
    dataset="faces",
    objectives=OBJECTIVES,
    space=Space({"optimizer": Choice("sgd", "adam"), "learning_rate": Float(1e-3, 0.1, log=True)}),
    dataset_options={"image_size": 48, "hardness": 0.5},
    budget=Budget(20, 1500.0),
    seed=7,
    limit=600,
)


def trial(number: int, f1: float, seconds: float, memory: float, **changes: object) -> Trial:
    """A complete trial with three values."""
    defaults = {
        "params": {"optimizer": "sgd", "learning_rate": 0.01 * (number + 1), "epochs": 12},
        "state": TrialState.COMPLETE,
        "values": {"f1_macro": f1, "train_seconds": seconds, "peak_memory_mb": memory},
        "epochs": 12,
        "kept_epoch": 9,
        "checkpoint": "ab" * 32,
        "attempts": (Attempt(1, Reason.DONE, first_epoch=1, last_epoch=12, seconds=65.0, pid=41, log="/logs/1-1.log"),),
    }
    return Trial(number=number, **{**defaults, **changes})  # type: ignore[arg-type]


def epoch(number: int, f1: float) -> Epoch:
    return Epoch(number, {"f1_macro": f1, "train_seconds": 2.0 * number, "peak_memory_mb": 30.0}, seconds=2.0)


def lines(*expected: str) -> str:
    """The lines of a text."""
    return "\n".join(expected)


def text(item: RenderableType, width: int = 100) -> str:
    """What a renderable prints at a width, without colours and trailing blanks."""
    console = Console(width=width, file=io.StringIO(), highlight=False, markup=False, legacy_windows=False)
    console.print(item)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())
