"""Run a study, then the steps after its last trial."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from fersearch.api.studies import StudyView, view
from fersearch.context import open_store
from fersearch.engines.backends import backend, check_run
from fersearch.engines.driver import Driver
from fersearch.engines.follow_up import follow_up, time_front
from fersearch.engines.latency_alone import time_latency
from fersearch.engines.observing import Observers, find
from fersearch.errors import UsageError
from fersearch.observer import Observer
from fersearch.run_options import RunOptions
from fersearch.store import Lease, Store, StudyRow
from fersearch.study import Budget, Keep


def run_study(
    name: str,
    options: RunOptions | None = None,
    *,
    observer: Observer | None = None,
    storage: str | None = None,
    **changes: Any,
) -> StudyView:
    """Run a study until its budget is used, from where it stopped; then refit, time or evaluate as it asks.

    Args:
        options: where and how it runs.
        changes: fields of `RunOptions` that override those of `options`.

    Raises:
        UsageError: an option is invalid.
        StudyBusy: another live driver runs it.
        Interrupted: Ctrl-C or SIGTERM; the study can go on.
        DataError: the data is missing or broken, or differs from the study's first data; then nothing was changed.
    """
    options = replace(options or RunOptions(), **changes)
    keep = None if options.keep is None else Keep.parse(options.keep)
    check_run(options)
    observer = observer or Observer()
    with open_store(storage) as store:
        study, store_changes = _changed(store, store.study(name), options.trials, keep)
        seconds = _seconds_left(study, options.timeout)
        with (
            closing(Observers(observer, find(options.observe))) as observers,
            Lease.take(store.database, study.id, study.name, options.resume) as lease,
            backend(options, observers.note, study.spec.precision) as where,
        ):
            driver = Driver(store, study, where, options, observers, lease, seconds)
            driver.on_settled = store_changes
            try:
                driver.run()
            finally:
                observers.state = driver.state_after
        if driver.over:
            _after(name, options, observer, storage)
        return view(store, store.study(name))


def _after(name: str, options: RunOptions, observer: Observer, storage: str | None) -> None:
    """Do the steps that follow a study's last trial, as its spec and this run's options ask."""
    once = replace(
        options,
        trials=None,
        timeout=None,
        keep=None,
        accept_data_change=False,
        in_process=False,
        exclusive_timing=False,
    )

    def again(study: str, data: Path | None) -> object:
        return run_study(study, replace(once, data=data), observer=observer, storage=storage)

    follow_up(name, storage, again, observer.note, options.artifacts)
    time_latency(name, storage, observer.note, options.artifacts)
    if options.exclusive_timing:
        time_front(name, storage, observer.note)


def _changed(
    store: Store, study: StudyRow, trials: int | None, keep: Keep | None
) -> tuple[StudyRow, Callable[[], None]]:
    """Return the study with a new total of trials and keep policy, and a function that stores both."""
    spec = study.spec
    if trials is not None and trials < 1:
        raise UsageError(f"trials {trials} is too small", "give 1 or more")
    budget = spec.budget if trials is None else Budget(trials, spec.budget.timeout)

    def write() -> None:
        if trials is not None:
            store.update_budget(study.id, budget)
        if keep is not None:
            store.update_keep(study.id, keep)

    return replace(study, spec=replace(spec, budget=budget, keep=keep or spec.keep)), write


def _seconds_left(study: StudyRow, timeout: float | None) -> float | None:
    if timeout is not None or study.spec.budget.timeout is None:
        return timeout
    remaining = study.spec.budget.timeout - study.seconds
    if remaining <= 0:
        raise UsageError(
            f"the time of study '{study.name}' is used up ({study.spec.budget.timeout:g} s)",
            f"give it more for this run: fersearch study run {study.name} --timeout 10m",
        )
    return remaining
