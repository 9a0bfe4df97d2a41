"""An exported model, used by onnxruntime alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.artifacts import file_digest
from fersearch.checkpoint_folder import CARD, folder_card
from fersearch.components import Task
from fersearch.errors import FersearchError

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

    Array = np.ndarray[Any, Any]

BATCH = 64


@dataclass(frozen=True)
class OnnxModel:
    """A model of a folder, with the card beside it."""

    session: "onnxruntime.InferenceSession"
    card: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path, threads: int | None = None) -> "OnnxModel":
        """Open the ONNX file that a folder's card names, with so many threads or as many as there are cores.

        Raises:
            FersearchError: the file is missing, is another than the card speaks of, or cannot be read.
        """
        card = folder_card(folder)
        entry = card["onnx"]
        file = folder / str(entry["file"])
        if not file.is_file():
            raise FersearchError(f"{file} is missing", f"export it again: fersearch checkpoint export {folder}")
        if file_digest(file) != entry["digest"]:
            raise FersearchError(
                f"{file} is not the file that {CARD} speaks of",
                f"export it again: fersearch checkpoint export {folder}",
            )
        return cls(session_of(file, threads), card)

    @property
    def task(self) -> Task:
        """What the model was trained to do."""
        return Task(tuple(self.card["class_names"]), int(self.card["channels"]), int(self.card["image_size"]))

    def probabilities(self, images: "Array") -> "Array":
        """Return class shares (float32, n x classes) of uint8 images (n, channels, size, size)."""
        return run(self.session, images)


def has_model(folder: Path) -> bool:
    """Return whether a folder's card speaks of an exported model."""
    card = folder / CARD
    if not card.is_file():
        return False
    try:
        return "onnx" in json.loads(card.read_bytes())
    except (ValueError, TypeError):
        return False


def session_of(file: Path, threads: int | None = None) -> "onnxruntime.InferenceSession":
    """Open an ONNX file on the CPU.

    Raises:
        FersearchError: onnxruntime cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise FersearchError(f"{file} cannot be read by onnxruntime: {error}", "export it again") from error


def run(session: "onnxruntime.InferenceSession", images: "Array") -> "Array":
    """Return class shares (float32, n x classes) of uint8 images (n, channels, size, size), batch by batch."""
    import numpy as np

    name = session.get_inputs()[0].name
    turned = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    parts = [session.run(None, {name: turned[i : i + BATCH]})[0] for i in range(0, len(turned), BATCH)]
    return np.concatenate(parts)
