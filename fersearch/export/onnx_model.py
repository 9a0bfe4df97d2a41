"""An exported model, used by onnxruntime alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.artifacts import file_digest
from fersearch.checkpoint_folder import card_file, folder_card
from fersearch.components import Task
from fersearch.errors import FersearchError
from fersearch.onnx_session import run, session_of

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OnnxModel:
    """A model of a folder, with the card beside it."""

    session: "onnxruntime.InferenceSession"
    card: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path, threads: int | None = None) -> "OnnxModel":
        """Open the ONNX file that a folder's card names, with this many threads, by default as many as there are cores.

        Raises:
            FersearchError: the file is missing, is not the one on the card, or cannot be read.
        """
        card = folder_card(folder)
        entry = card["onnx"]
        file = folder / str(entry["file"])
        if not file.is_file():
            raise FersearchError(f"{file} is missing", f"export it again: fersearch checkpoint export {folder}")
        if file_digest(file) != entry["digest"]:
            raise FersearchError(
                f"{file} is not the file that {card_file(folder).name} names",
                f"export it again: fersearch checkpoint export {folder}",
            )
        return cls(session_of(file, threads), card)

    @property
    def task(self) -> Task:
        """The task on which the model was trained."""
        return Task(tuple(self.card["class_names"]), int(self.card["channels"]), int(self.card["image_size"]))

    def probabilities(self, images: "Array") -> "Array":
        """Return class shares (float32, n x classes) of uint8 images (n, channels, size, size)."""
        return run(self.session, images)


def has_model(folder: Path) -> bool:
    """Return whether a folder's card names an exported model."""
    card = card_file(folder)
    if not card.is_file():
        return False
    try:
        return "onnx" in json.loads(card.read_bytes())
    except (ValueError, TypeError):
        return False
