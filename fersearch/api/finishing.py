"""Finish a study: train its best trials with fresh seeds, pick one on validation, open test once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fersearch.api.run import run_study
from fersearch.context import components_of, notices, open_store
from fersearch.engines.backends import check_run
from fersearch.engines.driver import Interrupted
from fersearch.engines.finishing import Retraining, begin, finish, has_ended
from fersearch.errors import UsageError
from fersearch.evaluation.finished import Finish, finish_of
from fersearch.observer import Observer
from fersearch.planning.mistakes import Mistakes
from fersearch.planning.parts import unseen_datasets
from fersearch.run_options import RunOptions
from fersearch.store import Lease, StudyRow


@dataclass(frozen=True)
class FinishBegun:
    """The study that trains another's finalists, and whether all are trained; the name is empty once it is finished."""

    trained: str
    ended: bool


def finish_study(
    name: str,
    options: RunOptions | None = None,
    *,
    finalists: int = 3,
    seeds: int = 5,
    epochs: int | None = None,
    unseen: Sequence[str] = (),
    observer: Observer | None = None,
    storage: str | None = None,
    **changes: Any,
) -> Finish:
    """Finish a study: train its finalists with fresh seeds, pick the best mean on validation, and open test once.

    For a finished study the stored result is returned, and nothing is trained or opened. An interrupted finish goes on.

    Args:
        options: where and how the finalists are trained.
        finalists: number of members of the front to train again, best first.
        seeds: number of trainings of each, with seeds that the search has not used.
        epochs: epochs of each training; default those of the finalist's configuration.
        unseen: more datasets to evaluate the pick on, as `NAME` or `NAME=PATH`.
        changes: fields of `RunOptions` that override those of `options`.

    Raises:
        UsageError: the front is empty, or an option is invalid.
        StudyBusy: another live driver runs it.
        Interrupted: Ctrl-C or SIGTERM; the finish can go on.
        DataError: the data is missing, differs from what the study saw, or has no test split.
    """
    options = replace(options or RunOptions(), **changes)
    check_run(options)
    if options.exclusive_timing:
        raise UsageError(
            "--exclusive-timing times the front of a search, not the trainings of a finish",
            f"leave it out here; and to time the front: fersearch study run {name} --exclusive-timing",
        )
    watcher = observer or Observer()
    how = replace(options, trials=None, timeout=None, keep=None, accept_data_change=False)
    how = replace(how, in_process=False)

    def run(study: str, data: Path | None) -> object:
        return run_study(study, replace(how, data=options.data or data), observer=watcher, storage=storage)

    retraining = Retraining(finalists, seeds, epochs)
    with open_store(storage) as store:
        study = store.study(name)
        study = _with_unseen(study, unseen)
        try:
            return finish(store, study, retraining, run, watcher.note, storage, options.artifacts)
        except Interrupted as interrupted:
            raise Interrupted(
                f"interrupted; the progress of finishing study '{name}' is kept",
                f"continue with: fersearch study finish {name}",
            ) from interrupted


def begin_finish(
    name: str, retraining: Retraining, unseen: Sequence[str] = (), storage: str | None = None
) -> FinishBegun:
    """Begin the finish of a study: create the study that trains its finalists, for the caller to run.

    Once all are trained, `finish_study` opens test, and evaluates the pick on the `unseen` datasets of both calls.

    Raises:
        UsageError: the front is empty, a number is too small, or there is no such dataset.
        StudyBusy: a live driver runs it.
    """
    with open_store(storage) as store:
        study = store.study(name)
        if finish_of(name, store.looks(study.id)):
            return FinishBegun("", True)
        study = _with_unseen(study, unseen)
        with Lease.take(store.database, study.id, name, resume=False):
            owner = begin(store, study, retraining, notices.append)
        return FinishBegun(owner.name, has_ended(store, owner))


def _with_unseen(study: StudyRow, unseen: Sequence[str]) -> StudyRow:
    """Return a study that also lists these datasets as unseen. Raise UsageError with all mistakes in them."""
    mistakes = Mistakes()
    more = unseen_datasets(unseen, components_of(study), mistakes) if unseen else ()
    mistakes.settle()
    return replace(study, spec=replace(study.spec, unseen=(*study.spec.unseen, *more)))
