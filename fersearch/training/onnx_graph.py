"""A trained model as one ONNX graph: raw images in, probabilities out."""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fersearch.errors import FersearchError
from fersearch.training.batches import Pixels
from fersearch.training.checkpoint import Restored

OPSET = 20
INPUT, OUTPUT = "images", "probabilities"
MOST_IMAGES = 4096
"""The largest batch that the graph promises to take."""


class Graph(nn.Module):
    """Takes uint8 images (n, height, width, channels), as the network saw them, and gives class shares (n, classes).

    It holds the normalisation, the crop and the views of the trial, and the softmax.
    """

    def __init__(self, restored: Restored) -> None:
        super().__init__()
        pixels = Pixels.of(_blank(restored.card), restored.card["mean"], restored.card["std"], restored.device)
        self.scale: Tensor
        self.shift: Tensor
        self.register_buffer("scale", pixels.scale)
        self.register_buffer("shift", pixels.shift)
        self.model = restored.judged()

    def forward(self, images: Tensor) -> Tensor:
        """Return class shares, float32."""
        batch = images.permute(0, 3, 1, 2).float() * self.scale + self.shift
        shares: Tensor = self.model(batch).float().softmax(1)
        return shares


def write_graph(restored: Restored, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the graph of a restored model (on the CPU) as an ONNX file, its batch size free, without external data.

    Raises:
        FersearchError: the model does what ONNX cannot say; the message has torch's reason.
    """
    import onnx

    size, channels = int(restored.card["image_size"]), int(restored.card["channels"])
    example = torch.zeros((2, size, size, channels), dtype=torch.uint8)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's exporter about itself
            program = torch.onnx.export(
                Graph(restored).eval(),
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
        name = restored.card["architecture"]
        raise FersearchError(f"architecture '{name}' cannot be exported to ONNX: {reason}") from error
    if program is None:
        raise FersearchError("torch gave no ONNX program", "upgrade torch")
    model = program.model_proto
    model.metadata_props.clear()
    for key, value in metadata.items():
        model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    onnx.save(model, str(path))


def metadata_of(card: Mapping[str, Any], digest: str) -> dict[str, str]:
    """Return what the file says of itself: classes, how images become inputs, dataset, licence, digest of the card."""
    size = card["image_size"]
    return {
        "classes": json.dumps(card["class_names"]),
        "preprocessing": json.dumps(card.get("steps")),
        "input": f"uint8 (n, {size}, {size}, {card['channels']}): images as the network saw them",
        "dataset": str(card["dataset"]["name"]),
        "licence": str(card["licence"]),
        "study": f"{card['study']} trial {card['trial']}",
        "card_sha256": digest,
        "producer": "fersearch",
    }


def _blank(card: Mapping[str, Any]) -> Any:
    import numpy as np

    return np.zeros((1, int(card["channels"]), int(card["image_size"]), int(card["image_size"])), np.uint8)
