"""Checkpoints: list them, pull one, and put it to use on images or on a dataset."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.api.context import components, notices, open_store
from fersearch.api.studies import Front, finite, front_of
from fersearch.artifacts import Artifacts
from fersearch.data import arrays
from fersearch.data.images import decode
from fersearch.data.locate import locate
from fersearch.errors import FersearchError, PluginError, UsageError, lookup
from fersearch.home import artifacts_folder, prepared_folder
from fersearch.pareto import knee
from fersearch.plugins import PluginFile
from fersearch.registry import Registry
from fersearch.store import Store, StudyRow
from fersearch.study import Protocol
from fersearch.trial import Trial, TrialState

if TYPE_CHECKING:
    from fersearch.training.use import Restored

WEIGHTS, CARD = "model.safetensors", "card.json"


@dataclass(frozen=True)
class CheckpointRow:
    """A kept checkpoint: its trial, the SHA-256 of its file, the epoch it is of, and its size."""

    trial: int
    digest: str
    epoch: int | None
    megabytes: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Pulled:
    """Where a checkpoint was put, and what the store knows of its trial."""

    path: Path
    trial: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Prediction:
    """What a model says about one image."""

    image: str
    label: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class EvaluationView:
    """How good a checkpoint is on one split; `looks` counts the openings of test so far, this one included."""

    dataset: str
    split: str
    n: int
    classes: tuple[str, ...]
    metrics: Mapping[str, float]
    confusion: Sequence[Sequence[int]]
    looks: int | None = None


def list_checkpoints(name: str, storage: str | None = None) -> list[CheckpointRow]:
    """The checkpoints of a study by trial."""
    with open_store(storage) as store:
        study = store.study(name)
        trials = {trial.number: trial for trial in store.trials(study.id)}
        return [
            CheckpointRow(row.trial, row.digest, row.epoch, (row.bytes or 0) / 2**20, trials[row.trial].values)
            for row in store.checkpoints(study.id)
        ]


def pull_checkpoint(
    name: str,
    *,
    trial: int | None = None,
    prefer: str | None = None,
    where: Sequence[str] = (),
    out: Path | None = None,
    force: bool = False,
    storage: str | None = None,
) -> Pulled:
    """Copy a trial's checkpoint, checked, with its card and the plugin file it needs, into a folder.

    Args:
        trial: its number; without one the best on the front by `prefer`.
        prefer: a metric of the trials, or `knee`; default the first objective.
        where: constraints that the trial must keep, as `peak_memory_mb<=500`.
        out: the folder to make; default `./STUDY-N`.
        force: replace what is there.

    Raises:
        UsageError: nothing fits, or the folder exists.
        FersearchError: the stored file is missing or broken.
    """
    with open_store(storage) as store:
        study = store.study(name)
        chosen = _chosen(store, study, trial, prefer, where)
        _require_checkpoint(chosen)
        source = Artifacts(artifacts_folder()).open(chosen.checkpoint or "")
        folder = out or Path(f"{study.name.replace('/', '-')}-{chosen.number}")
        _write_folder(folder, source, _card(study, chosen, source, folder), study.plugins, force)
    return Pulled(folder, chosen.number, chosen.values)


def load_checkpoint(path: Path, *, trust_plugin: bool = False) -> "Restored":
    """The model of a pulled checkpoint (its folder or its file) with its card.

    Args:
        trust_plugin: run the plugin file that lies beside the weights.

    Raises:
        PluginError: the architecture comes from a plugin file, and that is not trusted.
    """
    from fersearch.training.use import Restored

    return Restored.open(_weights(path), _registry(path, trust_plugin))


def predict(checkpoint: Path, images: Sequence[Path], *, trust_plugin: bool = False) -> list[Prediction]:
    """What a checkpoint says about image files.

    Raises:
        DataError: an image cannot be read.
    """
    import numpy as np

    restored = load_checkpoint(checkpoint, trust_plugin=trust_plugin)
    task = restored.task
    pixels = np.stack([decode(path, task.image_size, task.channels) for path in images])
    shares = restored.probabilities(pixels)
    return [
        Prediction(str(path), task.class_names[row.argmax()], dict(zip(task.class_names, map(float, row), strict=True)))
        for path, row in zip(images, shares, strict=True)
    ]


def evaluate(
    checkpoint: Path,
    dataset: str | None = None,
    *,
    data: Path | None = None,
    split: str = "valid",
    dataset_options: Mapping[str, str] | None = None,
    trust_plugin: bool = False,
    storage: str | None = None,
) -> EvaluationView:
    """How good a checkpoint is on a split, under the options recorded in it unless overridden.

    Opening the test split is counted: each look is a row in the database.

    Raises:
        UsageError: the dataset has other classes than the checkpoint.
        DataError: the dataset is missing or broken, or has no such split.
    """
    from fersearch.training.use import Restored

    lookup("split", split, {"train": 1, "valid": 1, "test": 1})
    registry = _registry(checkpoint, trust_plugin)
    restored = Restored.open(_weights(checkpoint), registry)
    name = dataset or restored.card["dataset"]["name"]
    loaded = _load(restored, registry, name, data, split, dataset_options or {})
    if loaded.task.class_names != restored.task.class_names:
        raise UsageError(
            f"dataset {name} has other classes than the checkpoint",
            f"dataset: {', '.join(loaded.task.class_names)}\n  checkpoint: {', '.join(restored.task.class_names)}",
        )
    values, confusion = restored.evaluate(loaded, split, registry.metrics)
    looks = _look(checkpoint, restored, name, len(loaded.indices[split]), values, storage) if split == "test" else None
    return EvaluationView(name, split, len(loaded.indices[split]), loaded.task.class_names, values, confusion, looks)


def _chosen(store: Store, study: StudyRow, number: int | None, prefer: str | None, where: Sequence[str]) -> Trial:
    trials = store.trials(study.id)
    if number is not None:
        return store.trial(study.id, number)
    found = front_of(study, trials, where)
    candidates = list(found.trials)
    if not candidates:
        states = {trial.state for trial in trials}
        hint = (
            "loosen --where" if where and TrialState.COMPLETE in states else f"see: fersearch trial list {study.name}"
        )
        raise UsageError(f"no trial of study '{study.name}' stands on the front", hint)
    if prefer == "knee":
        losses = [[o.loss(trial.values[o.metric]) for o in found.objectives] for trial in candidates]
        return candidates[knee(losses)]
    return _best(found, prefer) if prefer else candidates[0]


def _require_checkpoint(trial: Trial) -> None:
    if trial.checkpoint is None:
        raise UsageError(
            f"trial {trial.number} is {trial.state.value} and has no checkpoint",
            "choose a complete trial: `trial list`",
        )


def _best(found: Front, prefer: str) -> Trial:
    known = set.intersection(*(set(trial.values) for trial in found.trials))
    lookup("preference", prefer, dict.fromkeys([*known, "knee"]))
    objective = next((o for o in found.objectives if o.metric == prefer), None)
    direction = objective.direction if objective else components().metric(prefer).direction
    sign = -1 if direction == "max" else 1
    return min(found.trials, key=lambda trial: (sign * trial.values[prefer], trial.number))


def _card(study: StudyRow, trial: Trial, source: Path, folder: Path) -> dict[str, Any]:
    from fersearch.training.checkpoint import read_checkpoint

    card = read_checkpoint(source)[0]
    trust = ", trust_plugin=True" if card["plugins"] else ""
    card["values"] = finite(dict(trial.values))
    card["objectives"] = [str(objective) for objective in study.spec.objectives]
    card["digest"] = trial.checkpoint
    card["load"] = [
        "from fersearch import api",
        f"restored = api.load_checkpoint('{folder.name}'{trust})",
        "shares = restored.probabilities(images)  # uint8 (n, channels, size, size) -> (n, classes)",
    ]
    return card


def _write_folder(
    folder: Path, source: Path, card: Mapping[str, Any], plugins: Sequence[PluginFile], force: bool
) -> None:
    """Make the folder whole or not at all."""
    if folder.exists() and not force:
        raise UsageError(f"{folder} exists", "give another folder with -o, or --force to replace it")
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        shutil.copyfile(source, work / WEIGHTS)
        (work / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        for file in plugins:
            (work / Path(file.path).name).write_text(file.source, encoding="utf-8")
        work.chmod(0o755)
        if folder.exists():
            _retire(folder)
        work.rename(folder)
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def _retire(folder: Path) -> None:
    """Remove what is replaced, if it was a pulled checkpoint: nothing else is ever deleted."""
    if not (folder / CARD).is_file():
        raise UsageError(f"{folder} is no pulled checkpoint", "--force replaces only those; give another folder")
    shutil.rmtree(folder)


def _weights(path: Path) -> Path:
    file = Path(path) / WEIGHTS if Path(path).is_dir() else Path(path)
    if not file.exists():
        raise UsageError(f"no checkpoint at {path}", "get one by: fersearch checkpoint pull STUDY")
    return file


def _registry(path: Path, trust_plugin: bool) -> Registry:
    from fersearch.training.checkpoint import read_checkpoint

    weights = _weights(path)
    needed = read_checkpoint(weights)[0]["plugins"]
    if not needed:
        return components()
    found = []
    for item in needed:
        beside = weights.parent / Path(item["path"]).name
        file = PluginFile.read(beside)
        if file.digest != item["digest"]:
            raise PluginError(f"{beside} is not the plugin that the checkpoint was made with", "pull it again")
        found.append(file)
    if not trust_plugin:
        names = ", ".join(str(weights.parent / Path(file.path).name) for file in found)
        raise PluginError(
            f"the checkpoint needs the code of {names}",
            "read it, then allow it with --trust-plugin (in Python: trust_plugin=True)",
        )
    return components(found, folder=False)


def _load(
    restored: "Restored",
    registry: Registry,
    name: str,
    data: Path | None,
    split: str,
    given: Mapping[str, str],
) -> arrays.Loaded:
    from fersearch.data import options

    dataset = registry.dataset(name)
    recorded = restored.card["dataset"]
    own = name == recorded["name"]
    values = dict(recorded["options"]) if own else _shape(restored)
    values |= options.parse(dataset, given)
    values["target"] = recorded["target"] if own else dataset.targets[0]
    chosen = {**options.decoding(dataset, values), **options.loading(dataset, values)}
    source = locate(dataset, data)
    prepared = arrays.prepare(dataset, source, chosen, prepared_folder())
    if own and prepared.digest != recorded["digest"]:
        notices.append(f"{name} holds other images or labels than those the checkpoint was trained on")
    protocol = Protocol.from_json(restored.card["protocol"])
    limit = recorded["limit"] if own and split != "test" else None
    loaded = arrays.load(dataset, prepared, chosen, protocol, limit, with_test=split == "test")
    if not len(loaded.indices[split]):
        raise FersearchError(f"dataset {name} has no {split} images", "choose another --split")
    return loaded


def _shape(restored: "Restored") -> dict[str, Any]:
    return {"image_size": restored.task.image_size, "channels": restored.task.channels}


def _look(
    path: Path, restored: "Restored", dataset: str, n: int, values: Mapping[str, float], storage: str | None
) -> int:
    name = restored.card["study"]
    with _weights(path).open("rb") as file, open_store(storage) as store:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        study = name if name in store.study_names() else None
        store.add_look(study, digest, dataset, "test", n, values)
        return len(store.looks(store.study(study).id)) if study else 1
