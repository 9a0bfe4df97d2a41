"""Predict the expression on images: whole, or face by face, as records, a table or a picture."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fersearch.checkpoint_folder import card_of, open_checkpoint, trusted_registry
from fersearch.components import Task
from fersearch.context import notices
from fersearch.errors import DataError, UsageError
from fersearch.evaluation.calibration import calibrated, temperature_of
from fersearch.evaluation.photographs import Photographs, TrainedSteps
from fersearch.files import atomic_path, refuse_existing_file, write_atomic

MOST = 40  # images in one picture
SUFFIXES = (".png", ".svg")


if TYPE_CHECKING:
    import numpy as np

    from fersearch.data.detect import FaceDetector
    from fersearch.ensembles.model import RestoredEnsemble
    from fersearch.export.onnx_model import OnnxModel
    from fersearch.training.checkpoint import Restored

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]


CHUNK, CHUNK_BYTES = 256, 2**25  # images, and bytes of decoded pixels, that are answered at a time
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Prediction:
    """The prediction for one image, or for the face in its `box` (left, top, width, height in pixels).

    `probabilities` are calibrated where the model's card has a temperature; `evaluate` scores the uncalibrated ones.
    """

    image: str
    label: str
    probabilities: Mapping[str, float]
    box: Box | None = None


@dataclass(frozen=True)
class Unreadable:
    """An image file that cannot be read, and why."""

    image: str
    reason: DataError


def named(
    image: str, classes: Sequence[str], shares: "Iterable[np.ndarray[Any, Any]]", boxes: Sequence[Box | None]
) -> list[Prediction]:
    """Return class shares, one array for each face of an image, as predictions."""
    return [
        Prediction(image, classes[int(one.argmax())], dict(zip(classes, map(float, one), strict=True)), box)
        for one, box in zip(shares, boxes, strict=True)
    ]


def predict(
    checkpoint: Path,
    images: Sequence[Path],
    *,
    faces: bool | None = None,
    detector: Path | None = None,
    trust_plugin: bool = False,
) -> list[Prediction]:
    """Return a checkpoint's predictions for image files; with `faces` for each face found in them, left to right.

    See `predictions`.

    Raises:
        DataError: an image cannot be read.
    """
    results = []
    for one in predictions(checkpoint, images, faces=faces, detector=detector, trust_plugin=trust_plugin):
        if isinstance(one, Unreadable):
            raise one.reason
        results.append(one)
    return results


def predictions(
    checkpoint: Path,
    images: Iterable[Path],
    *,
    faces: bool | None = None,
    detector: Path | None = None,
    trust_plugin: bool = False,
) -> Iterator[Prediction | Unreadable]:
    """Yield a checkpoint's predictions image by image in the order given; memory does not grow with their number.

    With `faces` there is one prediction for each face that is found, and one for the whole image, without a box, where
    none is; `detector` is an ONNX file of CenterFace or YuNet to find them by. Images are processed like the training
    images; where these were cut to a box or to landmarks, which a plain image lacks, the largest face
    found is cut with the same margin, unless `faces` is False. A notice says so.
    """
    import numpy as np

    restored, steps = opened_model(checkpoint, trust_plugin)
    photographs = Photographs(steps, faces, detector_of(detector))
    task, temperature = restored.task, temperature_of(restored.card)
    size = max(1, min(CHUNK, CHUNK_BYTES // (task.channels * task.image_size**2)))
    try:
        for chunk in _chunks(_parts(images, photographs), size):
            pixels = [part.pixels for part in chunk if isinstance(part, _Part)]
            shares = iter(calibrated(restored.probabilities(np.stack(pixels)), temperature) if pixels else ())
            for part in chunk:
                yield part if isinstance(part, Unreadable) else part.answered(task, next(shares))
    finally:
        notices.extend(photographs.notes())


def detector_of(file: Path | None) -> "FaceDetector | None":
    """Open a detector's file; None for the one that comes with fersearch."""
    from fersearch.data.detect import FaceDetector

    return None if file is None else FaceDetector.open(file)


def opened_model(
    checkpoint: Path, trust_plugin: bool
) -> "tuple[Restored | RestoredEnsemble | OnnxModel, TrainedSteps]":
    """Return the model of a folder, the exported one where there is one, and the steps of its images."""
    from fersearch.export.onnx_model import OnnxModel, has_model

    if has_model(checkpoint):
        model = OnnxModel.open(checkpoint)
        return model, TrainedSteps.of_card(model.card, checkpoint)
    registry = trusted_registry(checkpoint, trust_plugin)
    return open_checkpoint(checkpoint, registry), TrainedSteps.of(checkpoint, registry)


def classes_of(checkpoint: Path) -> tuple[str, ...]:
    """Return the classes of a checkpoint, in the order of its outputs."""
    return tuple(card_of(checkpoint)["class_names"])


def images_in(folder: Path) -> list[Path]:
    """Return every image file below a folder, sorted; files that are left out and may be images are noted.

    Raises:
        DataError: there are no images, or the folder cannot be read.
    """
    from fersearch.data.folders import contents_of
    from fersearch.data.walk import Walk

    walk = Walk(folder)
    images = walk.images(folder)
    notices.extend(walk.findings())
    if not images:
        raise DataError(
            f"no image found in {folder}: it holds {contents_of(folder)}", "give a folder that holds images"
        )
    return images


@contextmanager
def csv_of(path: Path, classes: Sequence[str], faces: bool, force: bool = False) -> Iterator["Rows"]:
    """Yield a writer of predictions whose CSV file is put in place when the block ends without an error.

    Raises:
        UsageError: the file exists, unless it may be replaced.
    """
    refuse_existing_file(path, force)
    with (
        atomic_path(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file,
    ):
        yield Rows(file, classes, faces)


class Rows:
    """Writes one row per prediction: image, face box if requested, label, and a column of probabilities for each
    class."""

    def __init__(self, file: TextIO, classes: Sequence[str], faces: bool) -> None:
        self.faces = faces
        self._rows = csv.writer(file, lineterminator="\n")
        box = ("face_left", "face_top", "face_width", "face_height") if faces else ()
        self._rows.writerow(["image", *box, "label", *classes])

    def add(self, one: Prediction) -> None:
        """Write a row; the box is empty where the whole image was classified."""
        box = (one.box or ("",) * 4) if self.faces else ()
        self._rows.writerow([one.image, *box, one.label, *(f"{share:.6g}" for share in one.probabilities.values())])


@dataclass(frozen=True)
class _Part:
    """An image, or a face in it, as the model's input: uint8 (channels, size, size)."""

    image: str
    pixels: "Pixels"
    box: Box | None

    def answered(self, task: Task, shares: "np.ndarray[Any, Any]") -> Prediction:
        return named(self.image, task.class_names, [shares], [self.box])[0]


def _parts(images: Iterable[Path], photographs: Photographs) -> Iterator[_Part | Unreadable]:
    for path in images:
        try:
            inputs = photographs.inputs(Path(path))
        except DataError as error:
            yield Unreadable(str(path), error)
            continue
        yield from (_Part(str(path), pixels, box) for pixels, box in inputs)


def _chunks(parts: Iterator[_Part | Unreadable], size: int) -> Iterator[list[_Part | Unreadable]]:
    from fersearch.data.images import chunks

    return chunks(parts, size)


def check_plot(file: Path, count: int, force: bool = False) -> None:
    """Raise UsageError unless this many predictions can be drawn into the file."""
    if file.suffix.lower() not in SUFFIXES:
        raise UsageError(f"cannot draw into {file}", "give a file that ends in .png or .svg")
    if count > MOST:
        raise UsageError(f"{count} images are too many for one picture", f"draw {MOST} or fewer, or write a --csv")
    refuse_existing_file(file, force)


def plot_predictions(predicted: Sequence[Prediction], file: Path, force: bool = False) -> None:
    """Draw each image beside the bars of its classes, into a PNG or SVG file.

    Raises:
        UsageError: the file exists, is of another kind, or there are too many images for one picture.
    """
    import numpy as np

    from fersearch.data.images import upright
    from fersearch.report.plots import style
    from fersearch.report.plots.pictures import Answer, answers

    check_plot(file, len(predicted), force)
    with style.styled():
        drawn = [
            Answer(
                Path(one.image).name, np.asarray(upright(Path(one.image)).convert("RGB")), one.probabilities, one.box
            )
            for one in predicted
        ]
        svg, png = style.render(answers(drawn))
    write_atomic(file, svg.encode() if file.suffix.lower() == ".svg" else png)
