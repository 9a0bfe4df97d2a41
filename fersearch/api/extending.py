"""Changing a study on purpose: its budget, its space or its objectives; what it has stays."""

import math
from collections.abc import Iterable, Mapping, Sequence

from fersearch.api.creating import check_metrics
from fersearch.api.studies import StudyView, view
from fersearch.context import components_of, notices, open_store
from fersearch.errors import UsageError
from fersearch.formatting import settings as told
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

    Trials keep the space that they were drawn from; the sampler goes on with those that lie in the new one.

    Args:
        trials: its new total of trials.
        timeout: its new total of seconds of running.
        settings: what parameters are searched over from now on, as `--set` writes it.
        objectives: the metrics that it optimises from now on, best first; its trials need values of them.
        stop_when_flat: end once its front stood still for so many complete trials; 0: do not.

    Raises:
        UnknownName: there is no such study.
        UsageError: a change cannot be made; the message has all that is wrong.
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
    """Raise UsageError unless every trial that is compared has the metrics of new objectives."""
    before = {objective.metric for objective in study.spec.objectives}
    for metric in [objective.metric for objective in spec.objectives if objective.metric not in before]:
        for trial in trials:
            if trial.state is TrialState.COMPLETE and not math.isfinite(trial.values.get(metric, math.nan)):
                raise UsageError(
                    f"objective '{metric}': trial {trial.number} of study '{study.name}' has no value of it",
                    "choose a metric that its trials have, see: fersearch trial show "
                    f"{study.name} {trial.number}; or create another study",
                )


def _check_enqueued(store: Store, study: StudyRow, spec: StudySpec) -> None:
    """Raise UsageError where something is enqueued that a new space does not hold."""
    for wanted in store.enqueued(study.id):
        if not fits(spec.space, wanted.given, partly=True):
            raise UsageError(
                f"{told(wanted.given)} is enqueued, and lies outside the new space",
                f"let it be tried first: fersearch study run {study.name}; or keep its values in the space",
            )
