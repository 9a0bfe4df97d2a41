"""Samplers and pruners by the names that studies use."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from fersearch.components import Metric
from fersearch.errors import lookup
from fersearch.search.grid import Grid, OneFactorAtATime
from fersearch.search.pruner import NoPruner, ParetoPruner, Pruner, rungs
from fersearch.search.values import max_epochs, told_values
from fersearch.space import Value
from fersearch.study import StudySpec
from fersearch.trial import Trial

SAMPLERS = {
    "tpe": "learns which regions are good (multi-objective TPE)",
    "nsga2": "breeds generations from the front (NSGA-II)",
    "random": "draws each trial by chance",
    "grid": "tries every configuration of a finite space",
    "ofat": "changes one factor at a time, from each parameter's first value",
    "gp": "models each objective by a Gaussian process; seconds per proposal",
    "qmc": "spreads trials evenly (scrambled Sobol points)",
}
FINITE = {"grid": Grid, "ofat": OneFactorAtATime}
PRUNERS = {
    "pareto": "stops a trial at a rung when it is not among the best half by Pareto rank",
    "none": "lets every trial run to its end",
}


class Sampler(Protocol):
    """Proposes parameters that no trial had."""

    exhausted: bool

    def ask(self, number: int, /) -> tuple[dict[str, Value], dict[str, Any]] | None:
        """Parameters for a new trial with the state to keep; None if there are no others."""
        ...

    def tell(self, number: int, values: Sequence[float] | None, /) -> None:
        """The objectives' values of a trial that ended; None for a failure."""
        ...


def make_sampler(spec: StudySpec, trials: Iterable[Trial], metrics: Mapping[str, Metric]) -> Sampler:
    """The study's sampler, going on after its trials.

    Raises:
        UnknownName: there is no such sampler.
        UsageError: it cannot search the study's space.
    """
    lookup("sampler", spec.sampler, SAMPLERS)
    if spec.sampler in FINITE:
        return FINITE[spec.sampler](spec.space, trials)
    from fersearch.search.sampler import OptunaSampler  # here, for it loads Optuna

    rounds = spec.protocol.in_rounds
    told = partial(told_values, objectives=spec.objectives, metrics=metrics, in_rounds=rounds)
    return OptunaSampler(spec, trials, told)


def make_pruner(spec: StudySpec, metrics: Mapping[str, Metric], rounds: int) -> Pruner:
    """The study's pruner, without votes yet; UnknownName if there is no such pruner.

    Trials of several rounds are compared after rounds, on their means.
    """
    lookup("pruner", spec.pruner, PRUNERS)
    if spec.pruner == "none":
        return NoPruner()
    if rounds > 1:
        return ParetoPruner(spec.objectives, metrics, rounds, unit="round")
    return ParetoPruner(spec.objectives, metrics, max_epochs(spec.space))


def judged_epochs(spec: StudySpec, rounds: int) -> Collection[int] | None:
    """The numbers of the epochs by which the study's pruner knows a trial that has ended; None for all of them."""
    if spec.pruner == "none":
        return ()
    return None if rounds > 1 else rungs(max_epochs(spec.space))
