"""The Pareto front of a study, with the objectives and data of its comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from fersearch import formatting, notebook
from fersearch.errors import UsageError, lookup
from fersearch.store import StudyRow
from fersearch.study import Constraint, Objective
from fersearch.trial import SPREAD, STD, Trial, TrialState, of_data

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Front:
    """The non-dominated complete trials of a study, with the objectives that they were compared on.

    `foreign` counts the complete trials that saw earlier data and were not compared; `constraints` are the bounds that
    every member keeps, `tolerances` the shares by which each cost may differ and counts as equal.
    """

    study: str
    trials: Sequence[Trial]
    objectives: tuple[Objective, ...]
    baseline: Mapping[str, float]
    foreign: int = 0
    constraints: tuple[Constraint, ...] = ()
    tolerances: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def picks(self) -> Mapping[str, int]:
        """The numbers of the trials that `best`, `cheapest` and `knee` take; none of an empty front."""
        from fersearch.search.picking import picks  # here, for it loads numpy

        return picks(self.trials, self.objectives, self.constraints, self._tolerance)

    @property
    def pulled(self) -> Trial | None:
        """The trial that `checkpoint pull` takes: the cheapest of those whose checkpoints are kept, if any is."""
        from fersearch.search.picking import cheapest

        pullable = [trial for trial in self.trials if trial.checkpoint] or self.trials
        return cheapest(pullable, self.objectives, self._tolerance) if pullable else None

    @property
    def _tolerance(self) -> float:
        second = self.objectives[1].metric if len(self.objectives) > 1 else ""
        return self.tolerances.get(second, formatting.TIE)

    def picked(self, trial: Trial) -> list[str]:
        """Return the rules of `checkpoint pull --prefer` that select a member."""
        return [rule for rule, number in self.picks.items() if number == trial.number]

    @property
    def notes(self) -> list[str]:
        """Notes for the user: the baseline, which trials were not compared, and what the picks mean."""
        known = [one.metric for one in self.objectives if one.metric in self.baseline]
        values = ", ".join(f"{metric} {formatting.number(self.baseline[metric])}" for metric in known)
        notes = [f"baseline, always the largest class: {values}"] if values else []
        if self.foreign:
            others = formatting.plural(self.foreign, "complete trial")
            notes.append(f"{others} saw earlier data and cannot be compared with these")
        return [*notes, *self._about_picks]

    @property
    def _about_picks(self) -> list[str]:
        """Explanations of the picks' names; none without a choice."""
        from fersearch.search.picking import FLOOR, bounded, floor_of

        if len(self.trials) < 2 or len(self.objectives) < 2:
            return []
        first, second, *_ = self.objectives
        has_bound = bounded(self.objectives, self.constraints)
        floor = "" if has_bound else f", with {floor_of(self.trials, first)} ({FLOOR:g}*best)"
        cheap = f"{'least' if second.direction == 'min' else 'most'} {second.metric}"
        return [
            f"cheapest: {cheap} (equal within {100 * self._tolerance:.3g} %) within one standard error of the best "
            f"{first.metric}; "
            f"knee: nearest to the best of all objectives{floor}"
        ]

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas data frame with a row for each member, best first, as that of `list_trials`."""
        return notebook.trial_frame(self.trials)

    def _repr_html_(self) -> str:
        headings = ("trial", *map(formatting.heading, self.objectives), "epochs", "pick", "parameters")
        names = formatting.varying(self.trials)
        rows = [
            (
                trial.number,
                *notebook.value_cells(trial, self.objectives),
                trial.epochs,
                ", ".join(self.picked(trial)),
                formatting.settings(trial.params, names),
            )
            for trial in self.trials
        ]
        title = f"Pareto front of {self.study}: {formatting.plural(len(rows), 'trial')}"
        bounds = [f"within {', '.join(map(str, self.constraints))}"] if self.constraints else []
        return notebook.table(headings, rows, title, [*bounds, *self.notes])


def front_of(study: StudyRow, trials: Sequence[Trial], where: Sequence[str] = ()) -> Front:
    """Return the front of a study's trials under constraints, as `peak_memory_mb<=500` or `f1_macro>=0.9*best`."""
    from fersearch.search.front import front as pareto_front  # here, for it loads numpy
    from fersearch.search.picking import RelativeBound

    read = [RelativeBound.parse(text) or Constraint.parse(text) for text in where]
    known = {name for trial in trials for name in trial.values} | set(study.baseline)
    for bound in read:
        lookup("metric", bound.metric, dict.fromkeys(known))
    bounds = tuple(bound for bound in read if isinstance(bound, Constraint))
    constraints = tuple(dict.fromkeys((*study.spec.where, *bounds)))
    objectives = study.spec.objectives
    comparable = of_data(trials, study.data_digest)
    foreign = sum(trial.state is TrialState.COMPLETE and not trial.saw(study.data_digest) for trial in trials)
    members = pareto_front(comparable, objectives, study.baseline, constraints)
    by_best = tuple(bound.resolved(members) for bound in read if isinstance(bound, RelativeBound))
    if by_best:
        constraints = tuple(dict.fromkeys((*constraints, *by_best)))
        members = pareto_front(comparable, objectives, study.baseline, constraints)
    tolerances = cost_tolerances(objectives, comparable, study.cost_spreads)
    return Front(study.name, members, objectives, study.baseline, foreign, constraints, tolerances)


def may_count(trial: Trial) -> bool:
    """Return whether a trial can matter to a front: a complete one, or one whose rounds tell how costs vary."""
    return trial.state is TrialState.COMPLETE or any(name.endswith((STD, SPREAD)) for name in trial.values)


def cost_tolerances(
    objectives: Sequence[Objective], trials: Sequence[Trial], earlier: Mapping[str, float]
) -> dict[str, float]:
    """Return the share by which trials may differ in each objective but the first, and count as equal.

    `earlier` has the shares that other studies knew when this one was created.
    """
    from fersearch.search.ties import spread

    return {objective.metric: spread(trials, objective.metric, earlier) for objective in objectives[1:]}


def best_of_front(study: StudyRow, trials: Sequence[Trial]) -> Trial:
    """Return the front's best trial by the first objective. Raise UsageError if the front is empty."""
    members = front_of(study, trials).trials
    if not members:
        raise UsageError(f"no trial of study '{study.name}' is on the front", f"see: fersearch trial list {study.name}")
    return members[0]
