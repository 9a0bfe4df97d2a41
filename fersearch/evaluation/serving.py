"""A model that stays open and predicts images in memory, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.evaluation.calibration import calibrated, temperature_of
from fersearch.evaluation.photographs import Photographs, TrainedSteps
from fersearch.evaluation.predict import Prediction, named

if TYPE_CHECKING:
    from fersearch.export.onnx_model import OnnxModel


@dataclass(frozen=True)
class Answer:
    """The predictions for the faces in an image, and notices about them."""

    predictions: list[Prediction]
    width: int
    height: int
    notes: list[str]


@dataclass(frozen=True)
class ServedModel:
    """An exported model of a folder, for any number of threads."""

    model: "OnnxModel"
    steps: TrainedSteps

    @classmethod
    def open(cls, folder: Path, threads: int = 1) -> "ServedModel":
        """Open the exported model of a pulled folder, with this many threads for an image.

        Raises:
            FersearchError: there is none, or it is not the one on the card.
        """
        from fersearch.export.onnx_model import OnnxModel

        model = OnnxModel.open(folder, threads)
        return cls(model, TrainedSteps.of_card(model.card, folder))

    @property
    def card(self) -> Mapping[str, Any]:
        """The model's card."""
        return self.model.card

    def answer(self, name: str, content: bytes, faces: bool | None = None, longest: int = 0) -> Answer:
        """Predict the expression on an image file's content, or on each face in it (see `predictions`).

        `longest` bounds the longer side at which faces are searched; 0 leaves it as it is.

        Raises:
            DataError: it is not an image that can be read.
        """
        import numpy as np

        from fersearch.data.images import upright_of

        photographs = Photographs(self.steps, faces, longest=longest)
        image = upright_of(content, name, photographs.depth)
        parts = photographs.parts(image)
        raw = self.model.probabilities(np.stack([pixels for pixels, _ in parts]))
        shares = calibrated(raw, temperature_of(self.card))
        predictions = named(name, self.model.task.class_names, shares, [box for _, box in parts])
        return Answer(predictions, image.width, image.height, photographs.notes())
