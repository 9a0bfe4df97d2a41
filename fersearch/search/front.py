"""The trials on a study's Pareto front, and the checkpoints that its keep policy retains."""

import math
from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from fersearch import pareto
from fersearch.search.aggregation import undefined
from fersearch.search.bounds import with_latency_margin
from fersearch.search.ties import comparable
from fersearch.study import Constraint, Keep, Objective, StudySpec, keeps
from fersearch.trial import Trial, TrialState


def front(
    trials: Iterable[Trial],
    objectives: Sequence[Objective],
    baseline: Mapping[str, float],
    constraints: Sequence[Constraint] = (),
) -> list[Trial]:
    """Return the non-dominated complete trials, best first by the first objective, then the next ones, then number.

    `baseline` holds the score of always predicting the commonest class by predictive metric; a trial that is no
    better than that by the first predictive objective is not on the front. Trials that break a constraint are not
    either. Dominance is exact.
    """
    eligible = [
        trial
        for trial in trials
        if trial.state is TrialState.COMPLETE
        and not undefined(trial.values, objectives)
        and beats_baseline(trial, objectives, baseline)
        and keeps(constraints, trial.values)
    ]
    first = pareto.non_dominated([losses(trial, objectives) for trial in eligible])
    return sorted((eligible[i] for i in first), key=lambda trial: (comparable(trial, objectives), trial.number))


def losses(trial: Trial, objectives: Sequence[Objective]) -> list[float]:
    """Return the trial's objectives as numbers to minimise."""
    return [objective.loss(trial.values[objective.metric]) for objective in objectives]


def beats_baseline(trial: Trial, objectives: Sequence[Objective], baseline: Mapping[str, float]) -> bool:
    """Return whether the trial beats the baseline by its first predictive objective; True if there is none."""
    for objective in objectives:
        if objective.metric in baseline:
            bar = objective.loss(baseline[objective.metric])
            return not math.isfinite(bar) or objective.loss(trial.values[objective.metric]) < bar
    return True


def retained(
    trials: Iterable[Trial],
    keep: Keep,
    objectives: Sequence[Objective],
    baseline: Mapping[str, float],
    constraints: Sequence[Constraint] = (),
) -> set[int]:
    """Return the numbers of the trials whose checkpoints a policy retains.

    All that a study does after its end starts from the best of its front, so that trial is among them
    under every policy: the N best are counted from those that beat the baseline, then from the rest.
    A bound that only a rough latency breaks counts as kept: that latency will be measured again.
    """
    candidates = [with_latency_margin(trial, constraints) for trial in trials]
    if keep.which == "all":
        return {trial.number for trial in candidates}
    eligible = [trial for trial in candidates if _eligible(trial, objectives, constraints)]
    if keep.which == "best":
        placed = sorted(_sort_key(trial, objectives, baseline) for trial in eligible)
        return {number for *_, number in placed[: keep.most]}
    best = min(eligible, key=lambda trial: (losses(trial, objectives)[0], trial.number), default=None)
    return {trial.number for trial in front(eligible, objectives, baseline)} | ({best.number} if best else set())


class Keeper:
    """The checkpoints that a study keeps, updated with each ended trial.

    A trial that was dropped never returns, since trials are only added: each new one is compared with the retained ones
    alone, however many have ended. The result equals that of `retained` for all trials.
    """

    def __init__(self, spec: StudySpec, baseline: Mapping[str, float]) -> None:
        self._policy, self._bounds = spec.keep, spec.where
        best = spec.keep.which == "best"
        self._ranking = _Best(spec, baseline) if best else FrontMembers(spec, baseline)
        self._with_checkpoint: set[int] = set()

    def released(self, trials: Mapping[int, Trial], ended: Iterable[int]) -> list[Trial]:
        """Return the trials, updated, that release their checkpoints after those of `ended` have ended.

        They include trials that were stopped early and under the policy made no checkpoint.
        """
        new = sorted(set(ended))
        self._with_checkpoint |= {number for number in new if _holds(trials[number])}
        if self._policy.which == "all":
            return []
        beaten = {
            number for own in new for number in self._ranking.join(with_latency_margin(trials[own], self._bounds))
        }
        released = sorted(self._with_checkpoint & beaten)
        self._with_checkpoint -= set(released)
        return [replace(trials[number], checkpoint=None, released=str(self._policy)) for number in released]


class _Best:
    """The N best trials by the first objective, those that beat the baseline before the others."""

    def __init__(self, spec: StudySpec, baseline: Mapping[str, float]) -> None:
        self._most, self._objectives, self._baseline = spec.keep.most, spec.objectives, baseline
        self._constraints = spec.where
        self._places: list[tuple[bool, list[float], int]] = []

    def join(self, trial: Trial) -> set[int]:
        """Add a trial; return the trials that drop out, its own number if it is one of them."""
        if not _eligible(trial, self._objectives, self._constraints):
            return {trial.number}
        insort(self._places, _sort_key(trial, self._objectives, self._baseline))
        beyond = {number for *_, number in self._places[self._most :]}
        del self._places[self._most :]
        return beyond


class FrontMembers:
    """The Pareto front, and the best trial by the first objective, which may lie below the baseline."""

    def __init__(self, spec: StudySpec, baseline: Mapping[str, float]) -> None:
        self._objectives, self._baseline, self._constraints = spec.objectives, baseline, spec.where
        self._best: tuple[float, int] | None = None
        self._numbers = np.empty(0, dtype=int)
        self._points = np.empty((0, len(spec.objectives)))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the trials on the front, best first by the objectives in turn."""
        order = sorted(range(len(self._numbers)), key=lambda i: (self._points[i].tolist(), self._numbers[i]))
        return [int(self._numbers[i]) for i in order]

    def join(self, trial: Trial) -> set[int]:
        """Add a trial; return the trials that drop out, its own number if it is one of them."""
        if not _eligible(trial, self._objectives, self._constraints):
            return {trial.number}
        own = losses(trial, self._objectives)
        left = {trial.number, *self._beaten(trial, own)}
        if self._best is None or (own[0], trial.number) < self._best:
            left |= {self._best[1]} if self._best else set()
            self._best = own[0], trial.number
        return {number for number in left if number != self._best[1] and number not in self._numbers}

    def _beaten(self, trial: Trial, own: list[float]) -> list[int]:
        """Add a trial to the front if it belongs there; return those that it dominates."""
        if not beats_baseline(trial, self._objectives, self._baseline):
            return []
        point = np.asarray(own)
        if ((self._points <= point).all(axis=1) & (self._points < point).any(axis=1)).any():
            return []
        beaten = (self._points >= point).all(axis=1) & (self._points > point).any(axis=1)
        dominated: list[int] = self._numbers[beaten].tolist()
        self._points = np.vstack([self._points[~beaten], point])
        self._numbers = np.append(self._numbers[~beaten], trial.number)
        return dominated


def _eligible(trial: Trial, objectives: Sequence[Objective], constraints: Sequence[Constraint]) -> bool:
    complete = trial.state is TrialState.COMPLETE and not undefined(trial.values, objectives)
    return complete and keeps(constraints, trial.values)


def _sort_key(
    trial: Trial, objectives: Sequence[Objective], baseline: Mapping[str, float]
) -> tuple[bool, list[float], int]:
    # By every objective in turn, so that the first one is on the front.
    return not beats_baseline(trial, objectives, baseline), comparable(trial, objectives), trial.number


def _holds(trial: Trial) -> bool:
    return trial.checkpoint is not None or (trial.state is TrialState.PRUNED and not trial.released)
