"""Enqueue configurations that a study tries next."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from fersearch.context import open_store
from fersearch.errors import UsageError
from fersearch.formatting import settings as format_settings
from fersearch.space import Params, Value, written
from fersearch.store import StudyRow
from fersearch.trial import Enqueued, Trial


@dataclass(frozen=True)
class EnqueuedView:
    """A configuration that was enqueued: the values `given`; the study's sampler draws the others.

    `running` says whether a live driver picks it up within seconds; `waiting` counts the enqueued configurations that
    are no trial yet, this one included; `needed` is the total of trials with all of them, `trials` the study's budget.
    """

    name: str
    given: Params
    running: bool
    waiting: int
    needed: int
    trials: int


def enqueue_trial(name: str, settings: Mapping[str, Value], storage: str | None = None) -> EnqueuedView:
    """Add a configuration that a study tries next, also while it runs; it counts as a trial like any other.

    Args:
        settings: values of the study's parameters, typed or as text like that of `--set`; the sampler draws the others.

    Raises:
        UnknownName: there is no such study, or no such parameter.
        UsageError: a value is outside the study's space, or the configuration was tried or enqueued already.
    """
    if not settings:
        raise UsageError("no values are given to enqueue", "give values, as --set learning_rate=0.01")
    with open_store(storage) as store:
        study = store.study(name)
        values = study.spec.space.configured({key: _text(value) for key, value in settings.items()})
        waiting, trials = store.enqueued(study.id), store.trials(study.id, ())
        _check_new(study, values, waiting, trials)
        store.enqueue_trials(study.id, [Enqueued(uuid4().hex, values)])
        counted = len(trials) - study.spec.uncounted(sum(trial.untrained for trial in trials))
        more, budget = len(waiting) + 1, study.spec.budget.trials
        return EnqueuedView(name, values, store.is_driven(name), more, counted + more, budget)


def _check_new(study: StudyRow, values: Params, waiting: Iterable[Enqueued], trials: Iterable[Trial]) -> None:
    """Raise UsageError if a complete configuration is already that of a trial, or enqueued."""
    whole = study.spec.space.completed(values)
    if whole is None:
        return
    for trial in trials:
        if trial.params == whole and (trial.saw(study.data_digest) or not trial.state.ended):
            raise UsageError(
                f"trial {trial.number} of study '{study.name}' already has this configuration ({trial.state})",
                f"see it: fersearch trial show {study.name} {trial.number}; or change a value",
            )
    if any(study.spec.space.completed(one.given) == whole for one in waiting):
        raise UsageError(f"{format_settings(values)} is already enqueued in study '{study.name}'", "change a value")


def _text(value: Value) -> str:
    """Format a value as `--set` takes it, with all its digits."""
    return written(value) if isinstance(value, bool) else str(value)
