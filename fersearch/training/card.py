"""The card of a checkpoint or an ensemble, which describes how to use the weights; checked before anything is used.

A card is untrusted until it was checked here: right fields, of the right type and of a sane size, or the
file is not a checkpoint of fersearch. Imports no torch.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.dataclasses import dataclass as checked

from fersearch.errors import FersearchError
from fersearch.former_names import with_current_names
from fersearch.space import Value
from fersearch.study import Protocol

KEY = "fersearch"  # key of the card in the header of a safetensors file
FORMAT = 2  # 2 adds the study's id, the identity of the data, the decoding steps, and the files of plugins
SINCE_TWO = ("data", "steps")  # fields of the members of an ensemble that format 1 did not have
ENSEMBLE = "ensemble.json"

LONGEST_HEADER = 2**24  # bytes; the names and shapes of a thousand tensors take a hundredth of it
LONGEST_CARD = 2**22  # bytes
DEEPEST = 20  # levels of nested lists and tables
LARGEST_WHOLE = 2**64
PULL = "pull one: fersearch checkpoint pull STUDY"
AGAIN = "make it again: fersearch ensemble STUDY -o DIR"

Count = Annotated[int, Field(ge=0, lt=2**63)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1)]
FileName = Annotated[str, Field(pattern=r"^[^./\\][^/\\]*$", max_length=255)]
MOST_ROUNDS = 10**6


class _Part(BaseModel):
    """A table of a card: known fields are checked, others are kept."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)


class PluginEntry(_Part):
    """A plugin file that the weights need: original path, SHA-256, and file name beside the weights."""

    path: Name
    digest: Digest
    file: FileName | None = None


if TYPE_CHECKING:
    _Protocol = Protocol
else:
    _config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, alias_generator=Protocol.key)
    _Protocol = checked(Protocol, frozen=True, config=_config)


def _within_limits(protocol: Protocol) -> Protocol:
    if not (2 <= protocol.folds <= MOST_ROUNDS and 1 <= protocol.repeats <= MOST_ROUNDS and protocol.split_seed >= 0):
        raise ValueError("folds, repeats and seed are out of all bounds")
    if protocol.ratios and (min(protocol.ratios) < 0 or max(protocol.ratios) > 1):
        raise ValueError("ratios must be shares from 0 to 1")
    return protocol


class _Dataset(_Part):
    name: Name
    digest: str
    options: dict[str, Value]
    target: str
    limit: Annotated[int, Field(ge=1, lt=2**63)] | None


class _FilesDigest(_Part):
    version: Count = 0
    digest: str = ""
    count: Count = 0


class _ArraysDigest(_Part):
    digest: str = ""


class _SeenDigest(_Part):
    version: Count = 0
    digest: str = ""
    test: str = ""
    classes: list[str] = []
    counts: dict[str, Count] = {}


class _Data(_Part):
    """The identity of the training data: `fersearch.data.identity.Identity` as plain data."""

    files: _FilesDigest = _FilesDigest()
    arrays: _ArraysDigest = _ArraysDigest()
    seen: _SeenDigest = _SeenDigest()
    makers: dict[str, str] = {}
    path: str = ""


class _Params(_Part):
    """The parameters of a trial that using its weights reads; the architecture checks the others."""

    batch_size: Annotated[int, Field(ge=1, le=2**16, strict=False)] = 64
    crop: Annotated[int, Field(ge=1, le=2**13, strict=False)] | None = None
    tta: str = "none"
    loss: str = "cross_entropy"
    target: str = "majority"
    loss_scale: Annotated[float, Field(gt=0)] = 1.0
    label_smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0


class _Onnx(_Part):
    """The entry of a card for the file to which the model was exported."""

    file: FileName
    digest: Digest


class _Shared(_Part):
    """Fields that the cards of checkpoints and of ensembles share."""

    format: Annotated[int, Field(ge=1)]
    class_names: Annotated[list[Name], Field(min_length=1, max_length=100_000)]
    channels: Literal[1, 3]
    image_size: Annotated[int, Field(ge=1, le=2**13)]
    dataset: _Dataset
    licence: str
    protocol: Annotated[_Protocol, AfterValidator(_within_limits)]
    plugins: list[PluginEntry]
    versions: dict[str, str]
    study: str
    study_id: str | None = None
    data: _Data | None = None
    steps: list[dict[str, Any]] | None = None
    onnx: _Onnx | None = None


class Card(_Shared):
    """The card of one trained model."""

    trial: Count
    epoch: Count | None
    round: Annotated[int, Field(ge=1, lt=2**31)] = 1
    architecture: Name
    params: dict[str, Value]
    mean: list[FiniteFloat]
    std: list[Annotated[FiniteFloat, Field(gt=0)]]
    precision: str = "float32"
    memory_format: Literal["contiguous", "channels_last"] = "contiguous"
    seed: int
    weights: str | None
    metrics: dict[str, FiniteFloat | None]

    @field_validator("params")
    @classmethod
    def _usable(cls, params: dict[str, Value]) -> dict[str, Value]:
        _Params.model_validate(params)
        return params

    @model_validator(mode="after")
    def _channels_match(self) -> "Card":
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std are of {len(self.mean)} and {len(self.std)} channels, not {self.channels}")
        return self


class _Member(_Part):
    file: FileName
    digest: Digest
    weight: FiniteFloat


class EnsembleCard(_Shared):
    """The card of an ensemble; `selection` says how it was chosen (in format 1 that was `steps`)."""

    method: Literal["mean", "vote", "weighted", "stacking"]
    digest: Digest
    members: Annotated[list[_Member], Field(min_length=1, max_length=10_000)]
    stacker: Digest | None
    studies: list[str]
    study_ids: list[str] | None = None
    selection: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _has_stacker(self) -> "EnsembleCard":
        if self.method == "stacking" and self.stacker is None:
            raise ValueError("stacker: missing, and the method is stacking")
        return self


def read_card(path: Path) -> dict[str, Any]:
    """Return the checked card of a checkpoint file; its weights are not read.

    Raises:
        FersearchError: the file is missing, not a checkpoint of fersearch, or of a newer one.
    """
    try:
        header = _header(path)
    except OSError as error:
        raise FersearchError(f"cannot read checkpoint {path}: {error.strerror}") from error
    return _checked(path, "a checkpoint", PULL, header, Card)


def read_card_file(path: Path) -> dict[str, Any]:
    """Return the checked card of a card file, as it is stored beside weights or an exported model.

    Raises:
        FersearchError: it cannot be read, is not the card of a checkpoint, or of a newer fersearch.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_CARD + 1)
    except OSError as error:
        raise FersearchError(f"cannot read {path}: {error.strerror}", PULL) from error
    return _checked(path, "the card of a checkpoint", PULL, text, Card)


def read_ensemble_card(folder: Path) -> dict[str, Any]:
    """Return the checked card of an ensemble's folder.

    Raises:
        FersearchError: it cannot be read, is not the card of an ensemble, or of a newer fersearch.
    """
    path = folder / ENSEMBLE
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST_CARD + 1)
    except OSError as error:
        raise FersearchError(f"cannot read {path}: {error.strerror}", AGAIN) from error
    return _checked(path, "an ensemble", AGAIN, text, EnsembleCard)


def _header(path: Path) -> bytes | None:
    """Return the card's text in a safetensors file; None if there is none."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= LONGEST_HEADER:
            return None
        header = file.read(length)
    try:
        text = json.loads(header)["__metadata__"][KEY] if len(header) == length else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return text.encode("utf-8", "replace") if isinstance(text, str) else None


def _checked(path: Path, what: str, hint: str, text: bytes | None, schema: type[_Shared]) -> dict[str, Any]:
    try:
        card: dict[str, Any] = with_current_names(_parsed(text or b""))
        _refuse_newer(path, card)
        if schema is EnsembleCard and card.get("format") == 1 and "steps" in card:
            card["selection"] = card.pop("steps")
        schema.model_validate_json(json.dumps(card))
    except ValidationError as error:
        raise FersearchError(f"{path} is not {what} of fersearch: {_first_problems(error)}", hint) from None
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _NoCardError) else "it holds no card that can be read"
        raise FersearchError(f"{path} is not {what} of fersearch: {reason}", hint) from None
    return card


class _NoCardError(ValueError):
    """A text is not a card; the message says why."""


def _parsed(text: bytes) -> dict[str, Any]:
    """Parse a text as a JSON object whose parts all have a sane size; _NoCardError otherwise."""
    if len(text) > LONGEST_CARD:
        raise _NoCardError(f"its card is longer than {LONGEST_CARD:,} bytes")
    card = json.loads(text)
    if not isinstance(card, dict):
        raise _NoCardError("its card is not a table")
    pending: list[tuple[Any, int]] = [(card, 1)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, dict | list):
            if depth > DEEPEST:
                raise _NoCardError(f"its card is nested deeper than {DEEPEST}")
            parts = [*value, *value.values()] if isinstance(value, dict) else value
            pending += [(part, depth + 1) for part in parts]
        elif isinstance(value, str) and "\0" in value:
            raise _NoCardError("its card holds a NUL character")
        elif isinstance(value, int) and abs(value) >= LARGEST_WHOLE:
            raise _NoCardError("its card holds a number that is too large")
        elif isinstance(value, float) and not math.isfinite(value):
            raise _NoCardError("its card holds a number that is not finite")
    return card


def _refuse_newer(path: Path, card: Mapping[str, Any]) -> None:
    known = card.get("format")
    if isinstance(known, int) and known > FORMAT:
        raise FersearchError(f"{path} was written by a newer fersearch", "upgrade fersearch to use it")


def _first_problems(error: ValidationError) -> str:
    """Return the first three problems of a validation as `field: problem`, and the number of the others."""
    problems = []
    for problem in error.errors(include_url=False, include_context=False, include_input=False)[:3]:
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{where}: {message}" if where else message)
    more = error.error_count() - len(problems)
    return "; ".join(problems) + (f" and {more} more" if more > 0 else "")
