"""Predicts the expression on the faces of a film or a camera, frame by frame."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fersearch.context import notices
from fersearch.evaluation.calibration import calibrated, temperature_of
from fersearch.evaluation.photographs import Photographs
from fersearch.evaluation.predict import Prediction, detector_of, named, opened_model
from fersearch.files import atomic_path, refuse_existing_file

if TYPE_CHECKING:
    from PIL import Image

YELLOW, BLACK = (255, 210, 63), (0, 0, 0)
SHARE_OF_TEXT = 26  # an image is so many times as high as its labels


@dataclass(frozen=True)
class FrameAnswer:
    """The predictions of a frame: one for each face, or one for the whole frame where no face is found.

    `seconds` is when the frame is shown, from the beginning.
    """

    frame: int
    seconds: float
    predictions: Sequence[Prediction]
    image: "Image.Image"

    def annotated(self) -> "Image.Image":
        """Return the frame with a box and a label on each face."""
        from PIL import ImageDraw, ImageFont

        drawn = self.image.convert("RGB")
        draw = ImageDraw.Draw(drawn)
        size = max(12, drawn.height // SHARE_OF_TEXT)
        font = ImageFont.load_default(size)
        for one in self.predictions:
            left, top, width, height = one.box or (0, 0, drawn.width - 1, drawn.height - 1)
            text = f"{one.label} {100 * one.probabilities[one.label]:.0f} %"
            draw.rectangle((left, top, left + width, top + height), outline=YELLOW, width=max(2, size // 8))
            place = (left, top - size - 4 if top > size + 4 else top + 4)
            draw.text(place, text, YELLOW, font, stroke_width=max(1, size // 10), stroke_fill=BLACK)
        return drawn


def predict_frames(
    checkpoint: Path,
    source: Path | int,
    *,
    every: int = 1,
    most: int | None = None,
    faces: bool = True,
    detector: Path | None = None,
    trust_plugin: bool = False,
) -> Iterator[FrameAnswer]:
    """Yield a checkpoint's predictions for the frames of a video file, or of a numbered camera.

    Args:
        every: use only every `every`-th frame.
        most: stop after this many frames.
        faces: find the faces; else the whole frame is classified.
        detector: an ONNX file of CenterFace or YuNet to find faces by.

    Raises:
        UsageError: the camera or file does not exist.
        DataError: the file is not a video.
    """
    import numpy as np

    from fersearch.data.video import frames

    model, steps = opened_model(checkpoint, trust_plugin)
    temperature, names = temperature_of(model.card), model.task.class_names
    photographs = Photographs(steps, faces, detector_of(detector))
    try:
        for frame in frames(source, every, most):
            parts = photographs.parts(frame.image)
            shares = calibrated(model.probabilities(np.stack([pixels for pixels, _ in parts])), temperature)
            predictions = named(str(frame.number), names, shares, [box for _, box in parts])
            yield FrameAnswer(frame.number, frame.seconds, predictions, frame.image)
    finally:
        notices.extend(photographs.notes())


@contextmanager
def frames_csv(path: Path, classes: Sequence[str], force: bool = False) -> Iterator["FrameRows"]:
    """Yield a writer of predictions per frame whose CSV file is complete when the block ends.

    Raises:
        UsageError: the file exists, unless it may be replaced.
    """
    refuse_existing_file(path, force)
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield FrameRows(file, classes)


class FrameRows:
    """Writes one row per face: frame, seconds, box (empty for a whole frame), label, a share for each class."""

    def __init__(self, file: TextIO, classes: Sequence[str]) -> None:
        self._rows = csv.writer(file, lineterminator="\n")
        box = ("face_left", "face_top", "face_width", "face_height")
        self._rows.writerow(["frame", "seconds", *box, "label", *classes])

    def add(self, answer: FrameAnswer) -> None:
        """Write the rows of a frame."""
        for one in answer.predictions:
            box: Sequence[Any] = one.box or ("",) * 4
            shares = (f"{share:.6g}" for share in one.probabilities.values())
            self._rows.writerow([answer.frame, f"{answer.seconds:.3f}", *box, one.label, *shares])
