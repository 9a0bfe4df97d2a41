"""Checkpoints: list them, pull one, load it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.api.studies import Front, front_of
from fersearch.artifacts import Artifacts
from fersearch.context import components, open_store
from fersearch.errors import FersearchError, UsageError, lookup
from fersearch.evaluation.checkpoint_folder import CARD, WEIGHTS, whole_folder, write_plugins
from fersearch.formatting import finite
from fersearch.home import artifacts_folder
from fersearch.pareto import knee
from fersearch.store import Store, StudyRow
from fersearch.study import Keep
from fersearch.training.card import read_card
from fersearch.trial import Trial, TrialState

if TYPE_CHECKING:
    pass


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
        out: the folder to make; default `./STUDY-trial-N`.
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
        folder = out or pulled_folder(study.name, chosen.number)
        write_pulled(folder, study, chosen, source, force)
    return Pulled(folder, chosen.number, chosen.values, [file.kept_name for file in study.plugins])


def pulled_folder(study: str, trial: int) -> Path:
    """Return the folder in which a trial is put where none is named: `STUDY-trial-N`."""
    return Path(f"{study.replace('/', '-')}-trial-{trial}")


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
