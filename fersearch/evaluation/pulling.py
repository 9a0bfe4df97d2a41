"""Pulls a checkpoint: chooses its trial and writes its folder."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fersearch.artifacts import Artifacts
from fersearch.checkpoint_folder import CARD, WEIGHTS, whole_folder, write_plugins
from fersearch.context import components
from fersearch.errors import FersearchError, UsageError, lookup
from fersearch.export.model_card import write_model_card
from fersearch.formatting import finite
from fersearch.home import artifacts_folder
from fersearch.search.picking import tradeoff
from fersearch.store import Store, StudyRow
from fersearch.study import Keep
from fersearch.study_front import Front, front_of
from fersearch.training.card import read_card
from fersearch.trial import Trial, TrialState, is_spread


@dataclass(frozen=True)
class Pulled:
    """The path of a pulled checkpoint, the trial's record in the store, and the names of the plugin files that it
    needs.

    `given_up` says what was traded for a trial other than the best; empty for the best, or a trial given by number.
    """

    path: Path
    trial: int
    values: Mapping[str, float]
    plugins: Sequence[str] = ()
    given_up: str = ""


@dataclass(frozen=True)
class Choice:
    """A chosen trial, and what was traded for it compared with the best."""

    trial: Trial
    given_up: str = ""


def pull(study: StudyRow, choice: Choice, folder: Path, *, force: bool) -> Pulled:
    """Copy the checkpoint of a trial, checked, into a folder.

    Raises:
        UsageError: the trial has none, or the folder exists.
        FersearchError: the stored file is missing or broken.
    """
    trial = choice.trial
    require_checkpoint(study.name, trial)
    write_pulled(folder, study, trial, Artifacts(artifacts_folder()).open(trial.checkpoint or ""), force)
    return Pulled(folder, trial.number, trial.values, [file.stored_name for file in study.plugins], choice.given_up)


def choose(store: Store, study: StudyRow, number: int | None, prefer: str | None, where: Sequence[str]) -> Choice:
    """Return the trial of that number, or the preferred one on the front within the bounds `where`.

    Args:
        prefer: as in `preferred`.

    Raises:
        UsageError: nothing fits.
    """
    trials = store.trials(study.id)
    if number is not None:
        return Choice(store.trial(study.id, number))
    front = front_of(study, trials, where)
    candidates = list(front.trials)
    if not candidates:
        states = {trial.state for trial in trials}
        hint = (
            "loosen --where" if where and TrialState.COMPLETE in states else f"see: fersearch trial list {study.name}"
        )
        raise UsageError(f"no trial of study '{study.name}' is on the front", hint)
    return preferred(front, prefer)


def preferred(members: Front, prefer: str | None) -> Choice:
    """Return the trial of a front that a rule picks (`best`, `cheapest`, `knee`), or that is best by a metric.

    None is `cheapest`, among the trials whose checkpoints are kept if any is.

    Raises:
        UsageError: the front is empty, or there is no such metric.
    """
    if not members.trials:
        hint = "loosen --where" if members.constraints else f"see: fersearch trial list {members.study}"
        raise UsageError(f"no trial of study '{members.study}' is on the front", hint)
    if prefer is None:
        chosen = members.pulled or members.trials[0]
    elif prefer in members.picks:
        chosen = next(trial for trial in members.trials if trial.number == members.picks[prefer])
    else:
        return Choice(_best(members, prefer))
    return Choice(chosen, tradeoff(members.trials[0], chosen, members.objectives))


def require_checkpoint(study: str, trial: Trial) -> None:
    """Make sure that a trial has a checkpoint.

    Raises:
        FersearchError: it was released; the message names the policy.
        UsageError: it never had one.
    """
    if trial.checkpoint is None and trial.released:
        raise FersearchError(
            f"the checkpoint of trial {trial.number} was released: "
            f"study '{study}' kept only {Keep.parse(trial.released).description}",
            f"train it again into a folder: fersearch trial rerun {study} {trial.number} -o DIR; "
            "or keep every checkpoint of the next study: --keep all",
        )
    if trial.checkpoint is None:
        raise UsageError(
            f"trial {trial.number} is {trial.state.value} and has no checkpoint",
            "choose a complete trial: `trial list`",
        )


def _best(front: Front, prefer: str) -> Trial:
    known = set.intersection(*(set(trial.values) for trial in front.trials))
    metrics = sorted(name for name in known if not is_spread(name))
    lookup("preference", prefer, dict.fromkeys([*metrics, *front.picks]))
    objective = next((o for o in front.objectives if o.metric == prefer), None)
    direction = objective.direction if objective else components().metric(prefer).direction
    sign = -1 if direction == "max" else 1
    return min(front.trials, key=lambda trial: (sign * trial.values[prefer], trial.number))


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
        "probabilities = restored.probabilities(images)  # uint8 (n, channels, size, size) -> (n, classes)",
    ]
    return card


def write_pulled(folder: Path, study: StudyRow, trial: Trial, source: Path, force: bool) -> None:
    """Write the folder of a pulled checkpoint, whole: the file `source` of a trial, its card, the plugins it needs."""
    card = _card(study, trial, source, folder)
    with whole_folder(folder, force) as work:
        shutil.copyfile(source, work / WEIGHTS)
        (work / CARD).write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
        write_plugins(work, study.plugins)
        write_model_card(work, card)
