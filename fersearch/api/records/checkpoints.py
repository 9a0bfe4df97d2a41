"""Records of checkpoints and of operations on them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from fersearch.api.records.base import Number, Part, Record, omitted

if TYPE_CHECKING:
    from fersearch.api.results import (
        Answer,
        CheckpointEvaluation,
        CheckpointRow,
        EvaluationView,
        ExportedModel,
        FrameAnswer,
        Pulled,
        Scores,
    )
    from fersearch.api.results import Ensemble as EnsembleView
    from fersearch.api.results import Garbage as GarbageView
    from fersearch.api.results import Prediction as PredictionView

Metrics = dict[str, dict[str, Number]]


class Checkpoint(Record):
    """A checkpoint that a study keeps."""

    trial: int
    checkpoint: str = Field(description="SHA-256 of the file")
    epoch: int | None = Field(description="The epoch whose weights it holds")
    megabytes: float
    values: dict[str, Number] = Field(description="Metrics of the trial on validation")

    @classmethod
    def of(cls, row: "CheckpointRow") -> Self:
        """Return the record of a checkpoint."""
        return cls(
            trial=row.trial,
            checkpoint=row.digest,
            epoch=row.epoch,
            megabytes=row.megabytes,
            values=dict(row.values),
        )


class PulledCheckpoint(Record):
    """The folder of a pulled checkpoint."""

    path: str
    trial: int
    values: dict[str, Number] = Field(description="Metrics of the trial on validation")
    given_up: str | None = omitted("How the best trial compares, if this one was pulled in its place")

    @classmethod
    def of(cls, pulled: "Pulled") -> Self:
        """Return the record of a checkpoint that was pulled."""
        return cls(
            path=str(pulled.path), trial=pulled.trial, values=dict(pulled.values), given_up=pulled.given_up or None
        )


class ExportedCheckpoint(Record):
    """An exported checkpoint and the facts of its file."""

    path: str
    bytes: int
    digest: str = Field(description="SHA-256 of the file")
    opset: int
    parity: dict[str, Any] = Field(
        description="Largest difference in probabilities, and the images that it was measured on"
    )
    quantization: dict[str, Any] | None = Field(
        description="Macro F1 before and after quantisation to int8; null if not quantised"
    )
    latency: dict[str, Any] = Field(description="Median time of one image in milliseconds, threads and runs")

    @classmethod
    def of(cls, exported: "ExportedModel") -> Self:
        """Return the record of an exported checkpoint."""
        return cls.of_card(exported.path, exported.entry)

    @classmethod
    def of_card(cls, path: Path, entry: Mapping[str, Any]) -> Self:
        """Return the record of an exported file from its entry in the card."""
        names = [name for name in cls.model_fields if name not in ("schema_", "path")]
        return cls(path=str(path), **{name: entry[name] for name in names})


class Heap(Part):
    """Files of one kind."""

    files: int
    megabytes: float


class LeftAlone(Part):
    """Files and studies that garbage collection left alone."""

    running: list[str] = Field(description="Studies that a running process drives")
    young: int = Field(description="Files too recent to decide about")
    unread: dict[str, str] = Field(description="Databases that could not be read, and why")


class Garbage(Record):
    """The files that garbage collection removed, or would remove under `dry_run`."""

    storage: str
    dry_run: bool
    files: int
    megabytes: float
    kinds: dict[str, Heap]
    left_alone: LeftAlone

    @classmethod
    def of(cls, view: "GarbageView") -> Self:
        """Return the record of a garbage collection."""
        kinds = {kind: Heap(files=heap.files, megabytes=heap.bytes / 2**20) for kind, heap in view.heaps.items()}
        return cls(
            storage=view.storage,
            dry_run=view.dry_run,
            files=view.files,
            megabytes=view.bytes / 2**20,
            kinds=kinds,
            left_alone=LeftAlone(running=list(view.driven), young=view.young, unread=dict(view.unread)),
        )


class Prediction(Record):
    """A model's prediction for one image."""

    image: str
    label: str
    probabilities: dict[str, float]

    @classmethod
    def of(cls, one: "PredictionView") -> Self:
        """Return the record of a prediction."""
        return cls(image=str(one.image), label=one.label, probabilities=dict(one.probabilities))


class FacePrediction(Prediction):
    """A model's prediction for one face of an image."""

    box: list[int] | None = Field(description="Left, top, width, height in pixels; null is the whole image")

    @classmethod
    def of(cls, one: "PredictionView") -> Self:
        """Return the record of a prediction of a face."""
        box = list(one.box) if one.box else None
        return cls(image=str(one.image), label=one.label, probabilities=dict(one.probabilities), box=box)


class FramePrediction(Record):
    """A model's predictions for a frame of a film: one for each face, or one for the whole frame."""

    frame: int = Field(description="Its number in the source, from 0")
    seconds: float = Field(description="Time in the video, in seconds")
    faces: list[FacePrediction]

    @classmethod
    def of(cls, answer: "FrameAnswer") -> Self:
        """Return the record of a frame's predictions."""
        return cls(
            frame=answer.frame, seconds=answer.seconds, faces=[FacePrediction.of(one) for one in answer.predictions]
        )


class UploadedPrediction(Record):
    """A model's predictions for an uploaded image: one for each face, or one for the whole image."""

    image: str
    width: int
    height: int
    faces: list[FacePrediction]
    notes: list[str] = Field(description="Remarks for the reader, for example that no face was detected")

    @classmethod
    def of(cls, name: str, answer: "Answer") -> Self:
        """Return the record of an image's predictions."""
        faces = [FacePrediction.of(one) for one in answer.predictions]
        return cls(image=name, width=answer.width, height=answer.height, faces=faces, notes=answer.notes)


class Judged(Part):
    """Metrics on some classes; `confusion` has the true class by row."""

    metrics: dict[str, Number]
    per_class: Metrics
    confusion: list[list[int]]


class JudgedOutputs(Judged):
    """Metrics over all outputs of the model, including those that match no class of the dataset."""

    outputs: list[str]

    @classmethod
    def of(cls, scores: "Scores") -> Self:
        """Return the record of metrics over all outputs."""
        return cls(outputs=list(scores.outputs), **_judged(scores))


class Evaluation(Record):
    """A checkpoint's metrics on one split."""

    checkpoint: str | None = omitted("The checkpoint, if a folder of several is evaluated")
    dataset: str
    split: str
    n: int = Field(description="Images it was evaluated on")
    classes: list[str]
    metrics: dict[str, Number]
    per_class: Metrics
    confusion: list[list[int]] = Field(description="Counts, the true class by row")
    per_source: Metrics | None = omitted("n, accuracy and baseline for each dataset of merged data")
    duplicates_left_out: int | None = omitted("Images left out as duplicates of train images")
    shared: dict[str, str] | None = omitted("The checkpoint's class for each class of the dataset")
    left_out: dict[str, int] | None = omitted("Images of classes that the checkpoint does not know")
    spare: list[str] | None = omitted("Outputs of the checkpoint that match no class of the dataset")
    restricted: Judged | None = omitted("Predictions restricted to the shared classes")
    full: JudgedOutputs | None = omitted("Predictions over all outputs")

    @classmethod
    def of(cls, view: "EvaluationView", checkpoint: str | None = None) -> Self:
        """Return the record of an evaluation."""
        own = _judged(view)
        partly: dict[str, Any] = {}
        if view.full is not None:
            partly = {"shared": dict(view.shared), "left_out": dict(view.left_out), "spare": list(view.spare)}
            partly |= {"restricted": Judged(**own), "full": JudgedOutputs.of(view.full)}
        return cls(
            checkpoint=checkpoint,
            dataset=view.dataset,
            split=view.split,
            n=view.n,
            classes=list(view.classes),
            per_source={name: dict(values) for name, values in view.per_source.items()} or None,
            duplicates_left_out=view.duplicates,
            **own,
            **partly,
        )


class FailedEvaluation(Record):
    """A checkpoint of a folder that could not be evaluated."""

    checkpoint: str
    error: str


def evaluations(results: "Sequence[CheckpointEvaluation]") -> list[Record]:
    """Return a record for each checkpoint of a folder."""
    return [
        Evaluation.of(one.view, str(one.checkpoint))
        if one.view
        else FailedEvaluation(checkpoint=str(one.checkpoint), error=str(one.error))
        for one in results
    ]


class EnsembleMember(Part):
    """A model of an ensemble."""

    study: str
    trial: int
    digest: str
    weight: float
    file: str


class EnsembleStep(Part):
    """A step of the selection: the model added, and the value of all so far."""

    study: str
    trial: int
    value: Number
    kept: bool


class EnsembleValidation(Part):
    """An ensemble beside its best single model on validation."""

    ensemble: Number
    best_single: Number


class EnsembleJudged(EnsembleValidation):
    """The same on the images that selected it."""

    n: int


class Ensemble(Record):
    """An ensemble of kept checkpoints, selected on validation."""

    path: str
    method: str
    digest: str
    objective: str
    members: list[EnsembleMember]
    steps: list[EnsembleStep]
    validation: EnsembleJudged
    crossvalidated: EnsembleValidation
    costs: dict[str, Number]

    @classmethod
    def of(cls, view: "EnsembleView") -> Self:
        """Return the record of an ensemble."""
        return cls(
            path=str(view.path),
            method=view.method,
            digest=view.digest,
            objective=str(view.objective),
            members=[EnsembleMember(**asdict(member)) for member in view.members],
            steps=[EnsembleStep(**asdict(step)) for step in view.steps],
            validation=EnsembleJudged(n=view.n, ensemble=view.value, best_single=view.single),
            crossvalidated=EnsembleValidation(ensemble=view.fair, best_single=view.fair_single),
            costs=dict(view.costs),
        )


def _judged(scores: Any) -> dict[str, Any]:
    """Return the fields of `Judged` from an object with metrics, per_class and confusion."""
    return {
        "metrics": dict(scores.metrics),
        "per_class": {name: dict(values) for name, values in scores.per_class.items()},
        "confusion": [list(row) for row in scores.confusion],
    }
