"""The Pareto front of a study, with what its trials were compared on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fersearch.errors import UsageError, lookup
from fersearch.store import StudyRow
from fersearch.study import Constraint, Objective
from fersearch.trial import Trial, TrialState, of_data


@dataclass(frozen=True)
class Front:
    """The non-dominated complete trials of a study, with what they were compared on.

    `foreign` counts the complete trials that saw earlier data and were not compared; `constraints` are the bounds that
    every member keeps.
    """

    study: str
    trials: Sequence[Trial]
    objectives: tuple[Objective, ...]
    baseline: Mapping[str, float]
    foreign: int = 0
    constraints: tuple[Constraint, ...] = ()


def front_of(study: StudyRow, trials: Sequence[Trial], where: Sequence[str] = ()) -> Front:
    """Return the front of a study's trials under constraints."""
    from fersearch.search.front import front as pareto_front  # here, for it loads numpy

    given = tuple(Constraint.parse(text) for text in where)
    known = {name for trial in trials for name in trial.values} | set(study.baseline)
    for constraint in given:
        lookup("metric", constraint.metric, dict.fromkeys(known))
    constraints = tuple(dict.fromkeys((*study.spec.where, *given)))
    objectives = study.spec.objectives
    comparable = of_data(trials, study.data_digest)
    foreign = sum(trial.state is TrialState.COMPLETE and not trial.saw(study.data_digest) for trial in trials)
    members = pareto_front(comparable, objectives, study.baseline, constraints)
    return Front(study.name, members, objectives, study.baseline, foreign, constraints)


def best_of_front(study: StudyRow, trials: Sequence[Trial]) -> Trial:
    """Return the best trial on the front by the first objective; UsageError if none stands there."""
    members = front_of(study, trials).trials
    if not members:
        raise UsageError(
            f"no trial of study '{study.name}' stands on the front", f"see: fersearch trial list {study.name}"
        )
    return members[0]
