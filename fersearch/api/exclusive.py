"""Timing the members of a front again, each alone: what training takes when nothing shares the device."""

from collections.abc import Callable

from fersearch.api.context import open_store
from fersearch.api.reruns import rerun_trial
from fersearch.api.studies import front_of
from fersearch.report.sharing import EXCLUSIVE

TIMED = "train_seconds"


def time_front(name: str, storage: str | None, note: Callable[[str], None]) -> None:
    """Train every member of a study's front again, one after another, and keep its `exclusive_train_seconds`.

    The searched value stays as it is. A member that was timed before is not timed again.

    Raises:
        FersearchError: training fails.
    """
    with open_store(storage) as store:
        study = store.study(name)
        due = [trial for trial in front_of(study, store.trials(study.id)).trials if EXCLUSIVE not in trial.values]
    for place, trial in enumerate(due, 1):
        note(f"timing trial {trial.number} of {name} alone ({place} of {len(due)} on the front)")
        again = rerun_trial(name, trial.number, storage=storage)
        seconds = {each.name: each.again for each in again.metrics}[TIMED]
        if seconds is None:
            continue
        with open_store(storage) as store:
            store.set_value(study.id, trial.number, EXCLUSIVE, seconds)
        note(f"trial {trial.number} alone: {TIMED} {seconds:.1f}{_beside(trial.values.get(TIMED))}")
        for change in again.changed:
            told = f"{change.name} {change.again}, which was {change.stored} in the search"
            note(f"trial {trial.number} was timed with {told}")


def _beside(searched: float | None) -> str:
    return "" if searched is None else f", {searched:.1f} in the search"
