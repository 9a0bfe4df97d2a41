"""What one study sees of a prepared dataset: targets, splits and statistics, derived once and mapped after."""

import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fersearch.components import Dataset, Labels, Task
from fersearch.data import digests, splits
from fersearch.data import options as dataset_options
from fersearch.data.folders import PARTS
from fersearch.data.identity import Identity
from fersearch.data.prepared import Prepared, explain_write_errors, map_array
from fersearch.data.step_lists import Steps
from fersearch.errors import DataError
from fersearch.space import Value
from fersearch.study import Protocol

Ints = npt.NDArray[np.int64]
FORMAT = 6
CHUNK = 2048


@dataclass(frozen=True)
class Loaded:
    """What a trial needs of a dataset; every array is mapped read-only.

    `images` (uint8, n x channels x size x size), `hard` (int64, n; -1 where left out) and `soft` (float32,
    n x classes, None where the targets are classes) hold every prepared image; `indices` (int64, sorted) say which
    rows are train, valid and, if requested, test. `mean` and `std` are those of the train images divided by 255,
    one per channel (std 1 where the images are all equal). `digest` is the SHA-256 of the prepared content.
    `steps` say how a picture became an input (`fersearch.data.steps`), None where that is not known.
    `rounds` is how often the protocol trains, `source` (str, n) the dataset that each image came from where several
    are merged, `warnings` what makes the split's scores doubtful, `untaught` the classes with images in valid or
    test and none in train. `identity` identifies the data.
    """

    images: npt.NDArray[np.uint8]
    hard: Ints
    soft: npt.NDArray[np.float32] | None
    indices: dict[str, Ints]
    task: Task
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    target: str
    licence: str
    rounds: int = 1
    source: npt.NDArray[np.str_] | None = None
    warnings: tuple[str, ...] = ()
    untaught: tuple[str, ...] = ()
    steps: Steps | None = None
    identity: Identity = field(default_factory=Identity)


def load(
    dataset: Dataset,
    prepared: Prepared,
    params: Mapping[str, Value],
    protocol: Protocol | None = None,
    limit: int | None = None,
    with_test: bool = False,
    round: int = 1,
) -> Loaded:
    """Return the mapped arrays of a round: labels under the dataset's options and `target`, split by the protocol.

    `limit` keeps a stratified subset of train and valid together, and under `loso` whole subjects. The test rows are
    left out unless requested.

    Raises:
        DataError: no image is left for train or valid, or test is requested and there is none.
        UsageError: an option or target that is not offered.
    """
    folder = view(dataset, prepared, params, protocol or Protocol(), limit, round)
    facts = json.loads((folder / "view.json").read_text(encoding="utf-8"))
    indices = {part: map_array(folder / f"{part}.npy") for part in PARTS if part != "test" or with_test}
    if with_test and not len(indices["test"]):
        raise DataError(
            f"dataset {dataset.name} has no test split", "evaluate on valid, or draw one with split = ratios"
        )
    soft, source = folder / "soft.npy", folder / "source.npy"
    return Loaded(
        images=prepared.images,
        hard=map_array(folder / "hard.npy"),
        soft=map_array(soft) if soft.exists() else None,
        indices=indices,
        task=Task(tuple(facts["class_names"]), prepared.channels, prepared.image_size),
        mean=tuple(facts["mean"]),
        std=tuple(facts["std"]),
        digest=prepared.digest,
        target=facts["target"],
        licence=prepared.licence,
        rounds=facts["rounds"],
        source=map_array(source) if source.exists() else None,
        warnings=tuple(facts["warnings"]),
        untaught=tuple(facts["untaught"]),
        steps=prepared.steps,
        identity=_identity(prepared, facts),
    )


def _identity(prepared: Prepared, facts: Mapping[str, Any]) -> Identity:
    return Identity(
        files=prepared.files_digest,
        arrays=prepared.digest,
        seen=facts["seen"],
        test=facts["test"],
        classes=tuple(facts["class_names"]),
        counts=facts["counts"],
        file_count=prepared.files,
        makers=prepared.makers,
        path=prepared.source,
    )


def view(
    dataset: Dataset,
    prepared: Prepared,
    params: Mapping[str, Value],
    protocol: Protocol,
    limit: int | None,
    round: int = 1,
) -> Path:
    """Return the folder of derived arrays for one choice of options, protocol, limit and round, made if there is
    none yet."""
    chosen = dataset_options.loading(dataset, params)
    round = round if protocol.folded else 1
    facts = {"options": chosen, "protocol": protocol.to_json(), "limit": limit, "by": _maker(dataset), "format": FORMAT}
    facts["round"] = round
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
    folder = prepared.folder / "views" / key
    if not (folder / "view.json").is_file():
        _make(folder, dataset, prepared, chosen, protocol, limit, round)
    return folder


def _maker(dataset: Dataset) -> list[str | int]:
    """Return version, module and digest of the dataset's plugin: an edited `label` must not reuse earlier labels."""
    module = sys.modules.get(type(dataset).__module__)
    try:
        text = Path(str(getattr(module, "__file__", ""))).read_bytes()
    except OSError:
        text = b""
    return [dataset.version, type(dataset).__module__, hashlib.sha256(text).hexdigest()]


def _make(
    folder: Path,
    dataset: Dataset,
    prepared: Prepared,
    chosen: Mapping[str, Value],
    protocol: Protocol,
    limit: int | None,
    round: int,
) -> None:
    labels = dataset.label(prepared.columns, prepared.class_names, chosen)
    check_labels(dataset.name, labels, prepared.count)
    if limit is not None:
        labels = splits.fewer_subjects(labels, protocol, limit)
    hard = np.ascontiguousarray(labels.hard, np.int64)
    parts = splits.draw(labels, protocol, round)
    warnings = splits.leaks(labels, parts)
    if protocol.duplicates != "keep":
        parts, warning = _without_repeated(parts, prepared, protocol)
        warnings.append(warning)
    untaught = splits.untaught(labels, parts) if dataset.needs_data else []
    if protocol.folded:
        warnings, untaught = warnings + untaught, []
    indices = {name: np.flatnonzero(parts == k) for k, name in enumerate(PARTS)}
    for name in ("train", "valid"):
        if not len(indices[name]):
            raise DataError(
                f"dataset {dataset.name} leaves no image for {name}", "check its options, or draw a split with ratios"
            )
    if limit is not None:
        indices = splits.limited(indices, hard, limit, protocol.split_seed)
    mean, std = statistics(prepared.images, indices["train"])
    arrays: dict[str, npt.NDArray[Any]] = {**indices, "hard": hard}
    if labels.soft is not None:
        arrays["soft"] = np.ascontiguousarray(labels.soft, np.float32)
    if labels.source is not None:
        arrays["source"] = np.asarray(labels.source).astype(str)
    facts = {
        **_digests(prepared, labels, indices),
        "class_names": list(labels.class_names),
        "target": chosen["target"],
        "mean": mean,
        "std": std,
        "options": dict(chosen),
        "protocol": protocol.to_json(),
        "limit": limit,
        "round": round,
        "rounds": splits.rounds(labels, protocol),
        "warnings": warnings,
        "untaught": untaught,
    }
    with explain_write_errors(prepared.folder):
        _save(folder, arrays, facts)


def _without_repeated(parts: splits.Parts, prepared: Prepared, protocol: Protocol) -> tuple[splits.Parts, str]:
    """Return the parts without the protocol's duplicates of images in valid or test, and a warning with their
    number."""
    if protocol.duplicates == "near":
        remaining, which = splits.without_near(parts, prepared.near), "equal or nearly equal images are"
    else:
        remaining, which = splits.without_duplicates(parts, prepared.images), "equal images are"
    return remaining, f"{int((remaining != parts).sum()):,} images were left out: {which} in valid or test"


def _digests(prepared: Prepared, labels: Labels, indices: Mapping[str, Ints]) -> dict[str, Any]:
    """Return the digests of train with valid and of test, and the number of images of each part."""
    shape = (prepared.channels, prepared.image_size)
    columns = {"hard": labels.hard, "soft": labels.soft, "subject": labels.subject}

    def digest(*parts: str) -> str:
        rows = {part: indices[part] for part in parts}
        return digests.of_rows(labels.class_names, shape, prepared.image_digests, columns, rows)

    counts = {part: len(rows) for part, rows in indices.items()}
    return {"seen": digest("train", "valid"), "test": digest("test"), "counts": counts}


def _save(folder: Path, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, array in arrays.items():
            np.save(work / f"{name}.npy", array, allow_pickle=False)
        (work / "view.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        work.chmod(0o755)
        work.rename(folder)
    except OSError:
        if not (folder / "view.json").is_file():
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check_labels(name: str, labels: Labels, count: int) -> None:
    """Raise DataError unless a dataset's labels fit its images and classes."""
    for what, values in (
        ("hard", labels.hard),
        ("split", labels.split),
        ("soft", labels.soft),
        ("subject", labels.subject),
        ("source", labels.source),
    ):
        if values is not None and len(values) != count:
            raise DataError(f"dataset {name}: {len(values)} values of '{what}' for {count} images")
    classes = len(labels.class_names)
    if classes < 2 or len(set(labels.class_names)) != classes:
        raise DataError(
            f"dataset {name} has {classes} classes: {', '.join(labels.class_names)}",
            "two or more, all different, are needed",
        )
    used = np.asarray(labels.hard)[np.asarray(labels.split) != splits.LEFT_OUT]
    if used.size and (used.min() < 0 or used.max() >= classes):
        raise DataError(f"dataset {name}: labels run from {used.min()} to {used.max()}, with {classes} classes")
    if labels.soft is not None and labels.soft.shape[1] != classes:
        raise DataError(f"dataset {name}: targets have {labels.soft.shape[1]} columns, with {classes} classes")


def statistics(images: npt.NDArray[np.uint8], rows: Ints) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel of some rows of images, divided by 255."""
    channels = images.shape[1]
    histogram = np.zeros((channels, 256), np.int64)
    for start in range(0, len(rows), CHUNK):
        chunk = images[rows[start : start + CHUNK]]
        for channel in range(channels):
            histogram[channel] += np.bincount(chunk[:, channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    share = histogram / histogram.sum(1, keepdims=True)
    mean = share @ levels
    std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1))
    return mean.tolist(), np.where(std > 0, std, 1.0).tolist()
