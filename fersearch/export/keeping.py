"""Stores an exported model: in a folder of its own or beside the weights, with its card and a README.md."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from typing import Any

from fersearch.checkpoint_folder import CARD, card_file, is_ensemble, refuse_existing, weights_file, whole_folder
from fersearch.errors import UsageError
from fersearch.export.model_card import write_model_card
from fersearch.files import write_atomic
from fersearch.training.card import read_card, read_ensemble_card

FORMATS = {"onnx": "one file for onnxruntime"}
FILES = {None: "model.onnx", "int8": "model.int8.onnx"}
MAX_LOSS = 0.01
"""The default of the loss in macro F1 on validation that quantisation to eight bits may cause."""


@dataclass(frozen=True)
class ExportedModel:
    """An exported file, and its entry in the card."""

    path: Path
    entry: Mapping[str, Any]


def check_export(checkpoint: Path, out: Path | None, force: bool) -> None:
    """Refuse what cannot be exported, before anything is computed.

    Raises:
        UsageError: it is no checkpoint, or the target folder is missing or taken.
    """
    if not is_ensemble(checkpoint):
        weights_file(checkpoint)
    if out is None and not checkpoint.is_dir():
        raise UsageError(f"{checkpoint} is a file of weights", "name a folder for the model with -o DIR")
    if out is not None:
        refuse_existing(out, force)


def card_to_export(checkpoint: Path) -> dict[str, Any]:
    """Return the card of an ensemble, or that of a checkpoint, from its weights and the file beside them, without an
    earlier export.
    """
    if is_ensemble(checkpoint):
        return {name: value for name, value in read_ensemble_card(checkpoint).items() if name != "onnx"}
    beside = checkpoint / CARD
    known: dict[str, Any] = json.loads(beside.read_bytes()) if beside.is_file() else {}
    card = {**read_card(weights_file(checkpoint)), **known}
    card.pop("onnx", None)
    return card


def keep(
    checkpoint: Path,
    card: Mapping[str, Any],
    entry: Mapping[str, Any],
    file: Path,
    out: Path | None = None,
    force: bool = False,
) -> ExportedModel:
    """Put the file, its card and the README.md into a folder of its own, or beside the weights."""
    whole = {**card, "onnx": dict(entry)}
    text = json.dumps(whole, indent=2) + "\n"
    name = card_file(checkpoint).name
    if out is not None:
        with whole_folder(out, force) as work:
            copyfile(file, work / file.name)
            (work / name).write_text(text, encoding="utf-8")
            write_model_card(work, whole)
        return ExportedModel(out / file.name, entry)
    write_atomic(checkpoint / file.name, file.read_bytes())
    write_atomic(checkpoint / name, text.encode())
    write_model_card(checkpoint, whole)
    return ExportedModel(checkpoint / file.name, entry)
