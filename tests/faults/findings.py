"""What a study that was hurt must have in common with one that was left alone."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fersearch import api
from fersearch.trial import Trial
from tests.faults.conftest import Home

FINAL = ("complete", "pruned", "infeasible", "failed")


def compare(alone: Sequence[Home], hurt: Sequence[Home]) -> dict[str, Any]:
    """Counts of what was lost, doubled, torn or left over in studies of one home, and of what differs; 0 is sound.

    Each study that was hurt is held against the one of its place that was left `alone`.
    """
    home, pairs = hurt[0], [(_trials(there), _trials(here)) for there, here in zip(alone, hurt, strict=True)]
    trials = [trial for _, here in pairs for trial in here]
    referenced = {trial.checkpoint for trial in trials if trial.checkpoint}
    orphans = len(_files(home) - referenced)
    for each in hurt:
        with each.inside(), pytest.MonkeyPatch.context() as patch:
            patch.setattr("fersearch.maintenance.garbage.YOUNG", 0.0)  # no driver lives, so nothing waits for its row
            api.collect_garbage()
    return {
        "trials": len(trials),
        "attempts": dict(Counter(attempt.reason or "open" for trial in trials for attempt in trial.attempts)),
        "trials lost": sum(len({t.number for t in there} - {t.number for t in here}) for there, here in pairs),
        "trials without a final state": sum(trial.state not in FINAL for trial in trials),
        "trials that did not end as undisturbed": sum(
            len({*map(_result, here)} ^ {*map(_result, there)}) for there, here in pairs
        ),
        "epochs missing or doubled": sum(_wrong_epochs(each, trial) for each in hurt for trial in _trials(each)),
        "fronts that differ": sum(_front(there) != _front(here) for there, here in zip(alone, hurt, strict=True)),
        "checkpoints torn": sum(_digest(_artifacts(home) / name) != name for name in _files(home)),
        "checkpoints missing": len(referenced - _files(home)),
        "checkpoints orphaned": len(_files(home) - referenced),
        "orphans that gc found": orphans,
        "files of unfinished writes": len([path for path in _all(home) if path.name.startswith(".")]),
        "states left over": len(list((home.folder / "home" / "runs").rglob("*.pt"))),
    }


def _trials(home: Home) -> list[Trial]:
    return api.list_trials(home.study, storage=home.env["FERSEARCH_STORAGE"])


def _result(trial: Trial) -> tuple[Any, ...]:
    """All of a trial that does not depend on the clock."""
    scores = (trial.values.get("f1_macro"), trial.values.get("parameters"), trial.kept_epoch)
    return trial.number, trial.state, tuple(sorted(trial.params.items())), *scores


def _wrong_epochs(home: Home, trial: Trial) -> bool:
    view = api.show_trial(home.study, trial.number, storage=home.env["FERSEARCH_STORAGE"])
    return [epoch.number for epoch in view.history] != list(range(1, trial.epochs + 1))


def _front(home: Home) -> list[tuple[Any, ...]]:
    return [_result(trial) for trial in api.front(home.study, storage=home.env["FERSEARCH_STORAGE"]).trials]


def _artifacts(home: Home) -> Path:
    return home.folder / "home" / "artifacts"


def _all(home: Home) -> list[Path]:
    folder = _artifacts(home)
    return [path for path in folder.iterdir() if path.is_file()] if folder.exists() else []


def _files(home: Home) -> set[str]:
    return {path.name for path in _all(home) if not path.name.startswith(".")}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
