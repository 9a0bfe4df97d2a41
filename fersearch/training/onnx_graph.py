"""A trained model as one ONNX graph, from raw images to probabilities."""

import copy
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from fersearch.errors import FersearchError
from fersearch.onnx_session import run, session_of
from fersearch.training.batches import Pixels
from fersearch.training.checkpoint import Restored

OPSET = 20
INPUT, OUTPUT = "images", "probabilities"
MOST_IMAGES = 4096
"""The largest batch size that the graph accepts."""


class Graph(nn.Module):
    """A module from uint8 images (n, height, width, channels) of the dataset's size to class shares (n, classes).

    It holds the normalisation, the crop and the views of the trial, and the softmax of logits divided by a temperature.
    """

    def __init__(self, model: nn.Module, scale: Tensor, shift: Tensor, temperature: float = 1.0) -> None:
        super().__init__()
        self.temperature = temperature
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.model = model

    @classmethod
    def of(cls, restored: Restored, temperature: float = 1.0) -> Self:
        """Return the graph of a restored model, with the views under which its trial was evaluated."""
        card = restored.card
        pixels = Pixels.of(np.zeros((1, 1, 1, 1), np.uint8), card["mean"], card["std"], restored.device)
        return cls(restored.judged(), pixels.scale, pixels.shift, temperature)

    def forward(self, images: Tensor) -> Tensor:
        """Return class shares, float32."""
        batch = images.permute(0, 3, 1, 2).float() * self.scale + self.shift
        logits = self.model(batch).float()
        shares: Tensor = (logits if self.temperature == 1.0 else logits / self.temperature).softmax(1)
        return shares


def write_graph(
    graph: nn.Module, shape: tuple[int, int], path: Path, metadata: Mapping[str, str], name: str = ""
) -> None:
    """Write a graph (on the CPU) as an ONNX file, its batch size free, without external data.

    `shape` is (side, channels) of its images, `name` the architecture's.

    Raises:
        FersearchError: the model cannot be expressed in ONNX; the message has torch's reason.
    """
    import onnx

    size, channels = shape
    example = torch.zeros((2, size, size, channels), dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings of torch's exporter about itself
            program = torch.onnx.export(
                graph.eval(),
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes={INPUT: {0: torch.export.Dim("n", min=1, max=MOST_IMAGES)}},
                external_data=False,
                verbose=False,
            )
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FersearchError(f"architecture '{name}' cannot be exported to ONNX: {reason}") from error
    if program is None:
        raise FersearchError("torch returned no ONNX program", "upgrade torch")
    model = program.model_proto
    model.metadata_props.clear()
    for key, value in metadata.items():
        model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    onnx.save(model, str(path))


@contextmanager
def in_onnx(model: nn.Module, pixels: Pixels, name: str) -> Iterator[Callable[[], object]]:
    """Pass one image through the exported model, in one CPU thread.

    Raises:
        FersearchError: the model cannot be exported.
    """
    image = pixels.images[:1].cpu().numpy()
    graph = Graph(copy.deepcopy(model).cpu(), pixels.scale.cpu(), pixels.shift.cpu())
    with tempfile.TemporaryDirectory(prefix="fersearch-latency-") as folder:
        file = Path(folder, "model.onnx")
        write_graph(graph, (image.shape[2], image.shape[1]), file, {}, name)
        yield partial(run, session_of(file, threads=1), image)


def metadata_of(card: Mapping[str, Any], digest: str) -> dict[str, str]:
    """Return the file's metadata: classes, preprocessing of images, dataset, licence, digest of the card."""
    size = card["image_size"]
    return {
        "classes": json.dumps(card["class_names"]),
        "preprocessing": json.dumps(card.get("steps")),
        "input": f"uint8 (n, {size}, {size}, {card['channels']}): images as the network saw them",
        "dataset": str(card["dataset"]["name"]),
        "licence": str(card["licence"]),
        "study": _origin(card),
        "card_sha256": digest,
        "producer": "fersearch",
    }


def _origin(card: Mapping[str, Any]) -> str:
    """Return which trial a model is of, or which ones the members of an ensemble are of."""
    if "members" not in card:
        return f"{card['study']} trial {card['trial']}"
    members = ", ".join(f"{member['study']} trial {member['trial']}" for member in card["members"])
    return f"ensemble by {card['method']} of {members}"
