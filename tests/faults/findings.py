"""What a study that was hurt must have in common with one that was left alone."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fersearch import api
from fersearch.trial import Trial
from tests.faults.conftest import Home

FINAL = ("complete", "pruned", "infeasible", "failed")


def compare(alone: Home, hurt: Home) -> dict[str, Any]:
    """Counts of what was lost, doubled, torn or left over in `hurt`, and of what differs from `alone`; 0 is sound."""
    there, here = (api.list_trials("s", storage=home.env["FERSEARCH_STORAGE"]) for home in (alone, hurt))
    orphans = len(_files(hurt) - {trial.checkpoint for trial in here})
    with hurt.inside(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("fersearch.api.garbage.YOUNG", 0.0)  # no driver lives, so nothing waits for its row
        api.collect_garbage()
    kept = {trial.checkpoint for trial in here if trial.checkpoint}
    return {
        "trials": len(here),
        "attempts": dict(Counter(attempt.reason or "open" for trial in here for attempt in trial.attempts)),
        "trials lost": len({trial.number for trial in there} - {trial.number for trial in here}),
        "trials without a final state": sum(trial.state not in FINAL for trial in here),
        "trials that did not end as undisturbed": len({*map(_result, here)} ^ {*map(_result, there)}),
        "epochs missing or doubled": sum(_wrong_epochs(hurt, trial) for trial in here),
        "fronts differ": _front(alone) != _front(hurt),
        "checkpoints torn": sum(_digest(_artifacts(hurt) / name) != name for name in _files(hurt)),
        "checkpoints missing": len(kept - _files(hurt)),
        "checkpoints orphaned": len(_files(hurt) - kept),
        "orphans that gc found": orphans,
        "files of unfinished writes": len([path for path in _all(hurt) if path.name.startswith(".")]),
    }


def _result(trial: Trial) -> tuple[Any, ...]:
    """All of a trial that does not depend on the clock."""
    scores = (trial.values.get("f1_macro"), trial.values.get("parameters"), trial.kept_epoch)
    return trial.number, trial.state, tuple(sorted(trial.params.items())), *scores


def _wrong_epochs(home: Home, trial: Trial) -> bool:
    view = api.show_trial("s", trial.number, storage=home.env["FERSEARCH_STORAGE"])
    return [epoch.number for epoch in view.history] != list(range(1, trial.epochs + 1))


def _front(home: Home) -> list[tuple[Any, ...]]:
    return [_result(trial) for trial in api.front("s", storage=home.env["FERSEARCH_STORAGE"]).trials]


def _artifacts(home: Home) -> Path:
    return home.folder / "home" / "artifacts"


def _all(home: Home) -> list[Path]:
    folder = _artifacts(home)
    return [path for path in folder.iterdir() if path.is_file()] if folder.exists() else []


def _files(home: Home) -> set[str]:
    return {path.name for path in _all(home) if not path.name.startswith(".")}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
