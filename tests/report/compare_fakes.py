"""Entries of comparisons made by hand."""

from dataclasses import replace
from datetime import UTC, datetime

from fersearch.report.comparison.entries import Comparison, Entry
from fersearch.report.inputs import Measure
from fersearch.study import Protocol
from fersearch.trial import Epoch, Trial, TrialState
from tests.report.fakes import MEASURES, SPEC, record

KFOLD = Protocol("kfold", folds=3)
MOMENT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
CLASSES = ("anger", "joy", "fear")
MATRIX = ((4, 1, 0), (1, 3, 1), (2, 0, 3))


def entry(label: str, scores: tuple[float, ...] = (0.5, 0.6, 0.7), matrix: object = MATRIX, **changes: object) -> Entry:
    """An entry with a round for each score; `changes` are those of its spec."""
    base = replace(record(1, len(scores)), measures=MEASURES)
    defaults = {"name": label, "protocol": KFOLD, **changes}
    spec = replace(SPEC, **defaults)  # type: ignore[arg-type]
    rounds = {
        number: {"f1_macro": score, "accuracy": score + 0.1, "train_seconds": 10.0 * number, "peak_memory_mb": 50.0}
        for number, score in enumerate(scores, start=1)
    }
    values: dict[str, float] = {}
    for name in rounds[1]:
        own = [one[name] for one in rounds.values()]
        mean = sum(own) / len(own)
        values[name] = mean
        if len(own) > 1:
            values[f"{name}_std"] = (sum((value - mean) ** 2 for value in own) / (len(own) - 1)) ** 0.5
    counts = [list(row) for row in matrix]  # type: ignore[attr-defined]
    history = [Epoch(number, own, 1.0, 1.0, counts, number, last=True) for number, own in rounds.items()]
    trial = Trial(0, {"target": "majority"}, TrialState.COMPLETE, values, epochs=len(scores), kept_epoch=1)
    return Entry(label, replace(base, spec=spec, trials=[trial]), trial, rounds, history, CLASSES, "ab" * 32)


def comparison(*entries: Entry, metrics: tuple[str, ...] = ("f1_macro", "accuracy")) -> Comparison:
    measures = [MEASURES.get(name, Measure(name)) for name in metrics]
    return Comparison(entries, measures, MOMENT, "1.2.3")


def grid() -> Comparison:
    """Two models on two datasets."""
    return comparison(
        entry("g/cnn/a", (0.5, 0.6, 0.7), architecture="cnn", dataset="a"),
        entry("g/cnn/b", (0.3, 0.3, 0.4), architecture="cnn", dataset="b"),
        entry("g/vgg/a", (0.6, 0.7, 0.9), architecture="vgg", dataset="a"),
        entry("g/vgg/b", (0.2, 0.2, 0.1), architecture="vgg", dataset="b"),
    )
