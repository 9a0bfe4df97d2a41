"""Exports a checkpoint: the file is written to a temporary folder, checked, and then stored with its card."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fersearch import onnx_session
from fersearch.artifacts import file_digest
from fersearch.checkpoint_folder import is_ensemble, trusted_registry, weights_file
from fersearch.ensembles.model import RestoredEnsemble
from fersearch.ensembles.onnx_graph import graph_of
from fersearch.errors import FersearchError, lookup
from fersearch.evaluation.calibration import calibrated, temperature_of
from fersearch.export import checks, images
from fersearch.export.keeping import FILES, MAX_LOSS, ExportedModel, card_to_export, check_export, keep
from fersearch.export.model_card import names_of
from fersearch.registry import Registry
from fersearch.training.checkpoint import Restored
from fersearch.training.onnx_graph import OPSET, metadata_of, write_graph

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class ExportRequest:
    """How a checkpoint is exported.

    Attributes:
        out: a folder to create; None to put the file beside the weights.
        quantize: `int8`, or None to leave numbers as they are.
        max_loss: the macro F1 on validation that eight bits may cost.
        data: the path of the training data, if it has moved.
    """

    out: Path | None = None
    quantize: str | None = None
    max_loss: float = MAX_LOSS
    data: Path | None = None
    force: bool = False
    trust_plugin: bool = False
    storage: str | None = None


def export(checkpoint: Path, request: ExportRequest) -> ExportedModel:
    """Write a checkpoint or an ensemble as one ONNX file, checked, with its card and a README.md.

    Raises:
        UsageError: the folder exists, images are needed and not available, or members take different inputs.
        FersearchError: the architecture cannot be exported, or the file fails a check.
    """
    if request.quantize:
        lookup("quantization", request.quantize, {"int8": 1})
    check_export(checkpoint, request.out, request.force)
    registry = trusted_registry(checkpoint, request.trust_plugin)
    restored = _restored(checkpoint, registry)
    with tempfile.TemporaryDirectory(prefix="fersearch-export-") as work:
        file = Path(work, FILES[None])
        card = _card(checkpoint, registry)
        shape = (int(card["image_size"]), int(card["channels"]))
        metadata = metadata_of(card, _digest(card))
        write_graph(graph_of(restored, temperature_of(restored.card)), shape, file, metadata, names_of(card))
        entry, file = _checked(restored, registry, checkpoint, file, request)
        return keep(checkpoint, card, entry, file, request.out, request.force)


def _restored(checkpoint: Path, registry: Registry) -> Restored | RestoredEnsemble:
    """Return the model on the CPU, in float32."""
    if not is_ensemble(checkpoint):
        return _single(Restored.open(weights_file(checkpoint), registry, device="cpu"))
    whole = RestoredEnsemble.open(checkpoint, registry, device="cpu")
    return replace(whole, members=tuple(map(_single, whole.members)))


def _single(restored: Restored) -> Restored:
    return replace(restored, card={**restored.card, "precision": "float32"})


def _card(checkpoint: Path, registry: Registry) -> dict[str, Any]:
    """Return the card of a checkpoint; the steps of an older one are added."""
    from fersearch.evaluation.photographs import TrainedSteps

    card = card_to_export(checkpoint)
    return card if card.get("steps") else {**card, "steps": list(TrainedSteps.of(checkpoint, registry).steps)}


def _digest(card: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()


def _checked(
    restored: Restored | RestoredEnsemble, registry: Registry, checkpoint: Path, file: Path, request: ExportRequest
) -> tuple[dict[str, Any], Path]:
    """Compare the exported file with the model; return its entry in the card, and the file that is kept."""
    compared = images.to_compare(
        checkpoint, restored.card, registry, request.data, request.storage, all_of_them=request.quantize is not None
    )
    temperature = temperature_of(restored.card)
    expected = calibrated(restored.probabilities(compared.pixels), temperature)
    answers = onnx_session.run(onnx_session.session_of(file), compared.pixels)
    sure = _comparable(restored, compared.pixels)
    parity = checks.parity(expected[sure], answers[sure], compared.source, left_out=int((~sure).sum()))
    entry: dict[str, Any] = {
        "file": FILES[request.quantize],
        "opset": OPSET,
        "temperature": temperature,
        "parity": asdict(parity),
        "quantization": None,
    }
    if request.quantize:
        file, entry["quantization"] = _quantized(restored, registry, checkpoint, file, compared, answers, request)
    entry |= {"bytes": file.stat().st_size, "digest": file_digest(file)}
    return {**entry, "latency": dict(onnx_session.latency(file, compared.pixels[:1]))}, file


def _comparable(restored: Restored | RestoredEnsemble, pixels: Array) -> Array:
    """Return for each image whether it is compared: under `vote` if rounding cannot change a member's vote."""
    if not isinstance(restored, RestoredEnsemble) or restored.combination.method != "vote":
        return np.full(len(pixels), True)
    sure: Array = np.all([checks.is_clear(member.probabilities(pixels)) for member in restored.members], axis=0)
    if not sure.any():
        raise FersearchError(
            "rounding decides the vote of some member on every image, so parity cannot be checked", "give --data"
        )
    return sure


def _quantized(
    restored: Restored | RestoredEnsemble,
    registry: Registry,
    checkpoint: Path,
    file: Path,
    compared: images.Images,
    answers: Array,
    request: ExportRequest,
) -> tuple[Path, dict[str, Any]]:
    """Write the eight-bit file; FersearchError where it loses more than is allowed."""
    from fersearch.export.quantization import quantize

    assert compared.labels is not None  # of real images, which quantisation asks for
    calibration = images.of_split(checkpoint, registry, "train", images.MOST_CALIBRATED, request.data, request.storage)
    small = file.with_name(FILES["int8"])
    quantize(file, small, calibration.pixels)
    before = _f1(registry, restored, answers, compared.labels)
    after = _f1(registry, restored, onnx_session.run(onnx_session.session_of(small), compared.pixels), compared.labels)
    if not before - after <= request.max_loss:
        raise FersearchError(
            f"int8 quantisation costs {before - after:.4f} of macro F1 on validation ({before:.4f} to {after:.4f}, "
            f"n = {len(compared.labels):,}), more than {request.max_loss:g}",
            "allow more with --max-loss, or export without --quantize",
        )
    facts = {"kind": "int8", "f1_macro": after, "f1_macro_before": before, "n": len(compared.labels)}
    return small, {**facts, "calibrated_on": len(calibration.pixels)}


def _f1(registry: Registry, restored: Restored | RestoredEnsemble, shares: Array, labels: Array) -> float:
    from fersearch.training.evaluate import score_predictions

    metrics = {"f1_macro": registry.metric("f1_macro")}
    return score_predictions(shares, labels, restored.task.class_names, metrics).metrics["f1_macro"]
