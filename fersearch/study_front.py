"""The Pareto front of a study, with what its trials were compared on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fersearch import formatting, notebook
from fersearch.errors import UsageError, lookup
from fersearch.store import StudyRow
from fersearch.study import Constraint, Objective
from fersearch.trial import Trial, TrialState, of_data

if TYPE_CHECKING:
    import pandas as pd


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

    @property
    def notes(self) -> list[str]:
        """What a reader should know: the baseline, and which trials were not compared."""
        known = [one.metric for one in self.objectives if one.metric in self.baseline]
        told = ", ".join(f"{metric} {formatting.number(self.baseline[metric])}" for metric in known)
        notes = [f"baseline, always the largest class: {told}"] if told else []
        if self.foreign:
            others = formatting.plural(self.foreign, "complete trial")
            notes.append(f"{others} saw earlier data and cannot be compared with these")
        return notes

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas data frame with a row for each member, best first, as that of `list_trials`."""
        return notebook.trial_frame(self.trials)

    def _repr_html_(self) -> str:
        headings = ("trial", *map(formatting.heading, self.objectives), "epochs", "parameters")
        names = formatting.varying(self.trials)
        rows = [
            (
                trial.number,
                *notebook.value_cells(trial, self.objectives),
                trial.epochs,
                formatting.settings(trial.params, names),
            )
            for trial in self.trials
        ]
        title = f"Pareto front of {self.study}: {formatting.plural(len(rows), 'trial')}"
        bounds = [f"within {', '.join(map(str, self.constraints))}"] if self.constraints else []
        return notebook.table(headings, rows, title, [*bounds, *self.notes])


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
