"""Change a study's budget, space or objectives; its trials stay."""

import math
from collections.abc import Iterable, Mapping, Sequence

from fersearch.api.creating import check_metrics
from fersearch.api.studies import StudyView, view
from fersearch.context import components_of, notices, open_store
from fersearch.errors import UsageError
from fersearch.formatting import settings as format_settings
from fersearch.planning.extending import extended
from fersearch.search.fitting import fits
from fersearch.store import Store, StudyRow
from fersearch.study import StudySpec
from fersearch.trial import Trial, TrialState


def extend_study(
    name: str,
    *,
    trials: int | None = None,
    timeout: float | None = None,
    settings: Mapping[str, str] | None = None,
    objectives: Sequence[str] = (),
    stop_when_flat: int | None = None,
    storage: str | None = None,
) -> StudyView:
    """Change a study that does not run, and keep its trials; what changed and when is recorded with it.

    Trials keep the space that they were drawn from; the sampler goes on with those inside the new one.

    Args:
        trials: the new total of trials.
        timeout: the new total running time in seconds.
        settings: the new domains of parameters, in the syntax of `--set`.
        objectives: the new objectives, most important first; the study's trials need values of them.
        stop_when_flat: end after so many complete trials without a change of the front; 0: never.

    Raises:
        UnknownName: there is no such study.
        UsageError: a change cannot be made; the message lists all mistakes.
        StudyBusy: it runs.
    """
    with open_store(storage) as store:
        study = store.study(name)
        registry, known = components_of(study), store.trials(study.id)
        spec = extended(
            study.spec,
            registry,
            len(known),
            trials=trials,
            timeout=timeout,
            settings=settings,
            objectives=objectives,
            stop_when_flat=stop_when_flat,
        )
        _check_values(study, spec, known)
        _check_enqueued(store, study, spec)
        check_metrics(registry, [spec])
        store.extend_study(study, spec)
        first = study.spec.objectives[0].metric
        if known and spec.objectives[0].metric != first:
            notices.append(f"the trials that study '{name}' has keep the epoch that was best by {first}")
        return view(store, store.study(name))


def _check_values(study: StudyRow, spec: StudySpec, trials: Iterable[Trial]) -> None:
    """Raise UsageError unless every complete trial has finite values of the new objectives."""
    before = {objective.metric for objective in study.spec.objectives}
    for metric in [objective.metric for objective in spec.objectives if objective.metric not in before]:
        for trial in trials:
            if trial.state is TrialState.COMPLETE and not math.isfinite(trial.values.get(metric, math.nan)):
                raise UsageError(
                    f"objective '{metric}': trial {trial.number} of study '{study.name}' has no value for it",
                    "choose a metric that its trials have, see: fersearch trial show "
                    f"{study.name} {trial.number}; or create another study",
                )


def _check_enqueued(store: Store, study: StudyRow, spec: StudySpec) -> None:
    """Raise UsageError if an enqueued configuration is outside the new space."""
    for enqueued in store.enqueued(study.id):
        if not fits(spec.space, enqueued.given, partly=True):
            raise UsageError(
                f"{format_settings(enqueued.given)} is enqueued but lies outside the new space",
                f"run it first: fersearch study run {study.name}; or keep its values in the space",
            )
