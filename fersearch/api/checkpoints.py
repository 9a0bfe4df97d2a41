"""Checkpoints: list them, pull one, load it."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.api.context import components, open_store
from fersearch.api.studies import Front, finite, front_of
from fersearch.artifacts import Artifacts, file_digest
from fersearch.errors import FersearchError, PluginError, UsageError, lookup
from fersearch.files import atomic_folder
from fersearch.home import artifacts_folder
from fersearch.pareto import knee
from fersearch.plugins import PluginFile, kept_name
from fersearch.registry import Registry
from fersearch.store import Store, StudyRow
from fersearch.study import Keep
from fersearch.training.card import ENSEMBLE, read_card, read_ensemble_card
from fersearch.trial import Trial, TrialState

if TYPE_CHECKING:
    from fersearch.training.ensemble import RestoredEnsemble
    from fersearch.training.use import Restored

WEIGHTS, CARD = "model.safetensors", "card.json"
LONGEST_NAME = 240
"""Bytes of a folder's name: file systems allow 255, and what is written beside it has a longer one."""


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
    """Where a checkpoint was put, what the store knows of its trial, and the plugin files it needs by name."""

    path: Path
    trial: int
    values: Mapping[str, float]
    plugins: Sequence[str] = ()


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
        require_checkpoint(study.name, chosen)
        source = Artifacts(artifacts_folder()).open(chosen.checkpoint or "")
        folder = out or Path(f"{study.name.replace('/', '-')}-{chosen.number}")
        write_pulled(folder, study, chosen, source, force)
    return Pulled(folder, chosen.number, chosen.values, [file.kept_name for file in study.plugins])


def load_checkpoint(path: Path, *, trust_plugin: bool = False) -> "Restored | RestoredEnsemble":
    """The model of a pulled checkpoint (its folder or its file) with its card, or the ensemble of a folder.

    Args:
        trust_plugin: run the plugin file that lies beside the weights.

    Raises:
        PluginError: the architecture comes from a plugin file, and that is not trusted.
    """
    return open_checkpoint(path, trusted_registry(path, trust_plugin))


def open_checkpoint(path: Path, registry: Registry) -> "Restored | RestoredEnsemble":
    """What lies at a path, a pulled checkpoint or an ensemble, ready to use."""
    from fersearch.training.ensemble import RestoredEnsemble
    from fersearch.training.use import Restored

    if is_ensemble(path):
        return RestoredEnsemble.open(Path(path), registry)
    return Restored.open(weights_file(path), registry)


def is_ensemble(path: Path) -> bool:
    """Whether a path is the folder of an ensemble."""
    return (Path(path) / ENSEMBLE).is_file()


def digest_of(path: Path) -> str:
    """The SHA-256 by which looks know what lies at a path: of a checkpoint's file, or of what an ensemble consists."""
    return str(read_ensemble_card(Path(path))["digest"]) if is_ensemble(path) else file_digest(weights_file(path))


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


def require_checkpoint(study: str, trial: Trial) -> None:
    """Make sure that a trial has a checkpoint.

    Raises:
        FersearchError: it was released; the message names the policy.
        UsageError: it never had one.
    """
    if trial.checkpoint is None and trial.released:
        raise FersearchError(
            f"the checkpoint of trial {trial.number} was released: "
            f"study '{study}' kept only {Keep.parse(trial.released).told}",
            f"train it again into a folder: fersearch trial rerun {study} {trial.number} -o DIR; "
            "or keep every checkpoint of the next study: --keep all",
        )
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
    card = read_card(source)
    card["plugins"] = [file.entry for file in study.plugins]
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


def write_pulled(folder: Path, study: StudyRow, trial: Trial, source: Path, force: bool) -> None:
    """Write the folder of a pulled checkpoint, whole: the file `source` of a trial, its card, the plugins it needs."""
    card = _card(study, trial, source, folder)
    with whole_folder(folder, force) as work:
        shutil.copyfile(source, work / WEIGHTS)
        (work / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        write_plugins(work, study.plugins)


def write_plugins(folder: Path, plugins: Sequence[PluginFile]) -> None:
    """Put plugin files beside the weights that need them."""
    for file in plugins:
        (folder / file.kept_name).write_text(file.source, encoding="utf-8")


@contextmanager
def whole_folder(folder: Path, force: bool) -> Iterator[Path]:
    """Yield a folder beside `folder` that takes its place when the block ends well: it is made whole or not at all.

    Raises:
        UsageError: it exists, and is not to be replaced or was not made by fersearch.
    """
    refuse_existing(folder, force)
    with atomic_folder(folder) as work:
        yield work


def refuse_existing(folder: Path, force: bool) -> None:
    """Raise UsageError if a folder exists, unless it may be replaced; only what fersearch wrote ever is."""
    if len(os.fsencode(folder.name)) > LONGEST_NAME:
        raise UsageError(f"'{folder.name[:60]}...' is too long for the name of a folder", "give another one with -o")
    if not folder.exists():
        return
    if not force:
        raise UsageError(f"{folder} exists", "give another folder with -o, or --force to replace it")
    if not (folder / CARD).is_file() and not is_ensemble(folder):
        raise UsageError(f"{folder} is no pulled checkpoint", "--force replaces only those; give another folder")


def card_of(path: Path) -> dict[str, Any]:
    """The card of what lies at a path, a pulled checkpoint or an ensemble.

    Raises:
        FersearchError: there is none, or it cannot be read.
    """
    return read_ensemble_card(Path(path)) if is_ensemble(path) else read_card(weights_file(path))


def weights_file(path: Path) -> Path:
    """The weights of a pulled checkpoint, given its folder or that file; UsageError if there are none."""
    file = Path(path) / WEIGHTS if Path(path).is_dir() else Path(path)
    if not file.exists():
        raise UsageError(f"no checkpoint at {path}", "get one by: fersearch checkpoint pull STUDY")
    return file


def trusted_registry(path: Path, trust_plugin: bool) -> Registry:
    """The components that a checkpoint needs, its own plugin file among them if that is trusted; else PluginError."""
    folder = Path(path) if is_ensemble(path) else weights_file(path).parent
    needed = card_of(path)["plugins"]
    if not needed:
        return components(folder=not _within_checkpoint())
    found = []
    for item in needed:
        beside = _beside(folder, item)
        file = PluginFile.read(beside)
        if file.digest != item["digest"]:
            raise PluginError(f"{beside} is not the plugin that the checkpoint was made with", "pull it again")
        found.append(file)
    if not trust_plugin:
        names = ", ".join(file.path for file in found)
        raise PluginError(
            f"the checkpoint needs the code of {names}",
            "read it, then allow it with --trust-plugin (in Python: trust_plugin=True)",
        )
    return components(found, folder=False)


def _within_checkpoint() -> bool:
    """Whether we stand in the folder of a checkpoint, or below one: `./plugins` then came with it."""
    here = Path.cwd()
    return any(_is_pulled(place) for place in (here, *here.parents))


def _is_pulled(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (WEIGHTS, CARD, ENSEMBLE))


def _beside(folder: Path, entry: Mapping[str, Any]) -> Path:
    """Where a plugin file of a card lies: by the name that the card gives, or as earlier versions named it."""
    path, digest = entry["path"], entry["digest"]
    names = [entry.get("file") or kept_name(path, digest), kept_name(path, digest), Path(path).name]
    return next((folder / name for name in names if (folder / name).is_file()), folder / names[0])
