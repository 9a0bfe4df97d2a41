"""Samplers and pruners by name, and exhaustive samplers of finite spaces."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from fersearch.components import Metric
from fersearch.errors import UsageError, lookup
from fersearch.search.aggregation import max_epochs, sampler_values
from fersearch.search.bounds import sampler_excesses
from fersearch.search.pruner import NoPruner, ParetoPruner, Pruner, rungs
from fersearch.space import Float, Params, Space, Value, describe, values_of
from fersearch.study import StudySpec
from fersearch.trial import Trial

SAMPLERS = {
    "tpe": "learns which regions are good (multi-objective TPE)",
    "nsga2": "breeds generations from the front (NSGA-II)",
    "random": "draws each trial at random",
    "grid": "tries every configuration of a finite space",
    "ofat": "changes one factor at a time, from each parameter's first value",
    "gp": "models each objective by a Gaussian process; seconds per proposal",
    "qmc": "spreads trials evenly (scrambled Sobol points)",
}


class Grid:
    """A deterministic sampler: the next configuration that no trial has."""

    name = "grid"

    def __init__(self, space: Space, trials: Iterable[Trial]) -> None:
        """Continue after the given trials.

        Raises:
            UsageError: a real dimension makes the grid infinite.
        """
        check_finite(space, self.name)
        self.exhausted = False
        self._space = space
        self._remaining = self._configurations(space)
        self._proposed = {frozenset(trial.params.items()) for trial in trials}

    def ask(self, _number: int, fixed: Mapping[str, Value] = {}) -> tuple[dict[str, Value], dict[str, Any]] | None:
        """Return the next configuration, with the fixed values, and an empty state; None if there is none left."""
        for params in self._space.pinned(fixed).configurations() if fixed else self._remaining:
            if frozenset(params.items()) not in self._proposed:
                self._proposed.add(frozenset(params.items()))
                return params, {}
        self.exhausted = self.exhausted or not fixed
        return None

    def add(self, trial: Trial) -> None:
        """Add a configuration that was not proposed by this sampler."""
        self._proposed.add(frozenset(trial.params.items()))

    def tell(self, _number: int, _values: Sequence[float] | None, _excesses: Mapping[str, float] = {}) -> None:
        """Ignore the result: a grid does not adapt."""

    def _configurations(self, space: Space) -> Iterator[dict[str, Value]]:
        return space.configurations()


class OneFactorAtATime(Grid):
    """A sampler that proposes the first value of every parameter, then the other values, one parameter at a time."""

    name = "ofat"

    def _configurations(self, space: Space) -> Iterator[dict[str, Value]]:
        yielded = set()
        for name in ("", *space):
            for value in values_of(space[name]) if name else (None,):
                changed = {} if value is None else {**_needed(space, name), name: value}
                params = _filled(space, changed)
                if frozenset(params.items()) not in yielded:
                    yielded.add(frozenset(params.items()))
                    yield params


FINITE = {"grid": Grid, "ofat": OneFactorAtATime}
PRUNERS = {
    "pareto": "stops a trial at a rung unless it is on the first front or among the best half by Pareto rank",
    "none": "lets every trial run to its end",
}


class Sampler(Protocol):
    """A sampler that proposes parameters that no trial had."""

    exhausted: bool

    def ask(self, number: int, fixed: Params, /) -> tuple[dict[str, Value], dict[str, Any]] | None:
        """Return parameters for a new trial with the sampler state to store; None if the space is exhausted.

        Parameters that are `fixed` have these values.
        """
        ...

    def add(self, trial: Trial, /) -> None:
        """Add an unfinished trial that was not proposed by this sampler."""
        ...

    def tell(self, number: int, values: Sequence[float] | None, excesses: Mapping[str, float], /) -> None:
        """Report the objectives' values of a trial that ended, None for a failure, and its excesses over bounds."""
        ...


def make_sampler(
    spec: StudySpec, trials: Iterable[Trial], metrics: Mapping[str, Metric], prior: Iterable[Trial] = ()
) -> Sampler:
    """Return the study's sampler, continuing after its trials; one that learns also gets the `prior` trials.

    Raises:
        UnknownName: there is no such sampler.
        UsageError: it cannot search the study's space.
    """
    lookup("sampler", spec.sampler, SAMPLERS)
    if spec.sampler in FINITE:
        return FINITE[spec.sampler](spec.space, trials)
    from fersearch.search.optuna_sampler import OptunaSampler  # imported here, as it loads Optuna

    rounds = spec.protocol.in_rounds
    values_of = partial(sampler_values, objectives=spec.objectives, metrics=metrics, in_rounds=rounds)
    excesses_of = partial(sampler_excesses, spec=spec, metrics=metrics)
    return OptunaSampler(spec, trials, values_of, prior, excesses_of)


def make_pruner(spec: StudySpec, metrics: Mapping[str, Metric], rounds: int) -> Pruner:
    """Return the study's pruner, without votes; UnknownName if there is no such pruner.

    Trials of several rounds are compared after each round, on the means so far.
    """
    lookup("pruner", spec.pruner, PRUNERS)
    if spec.pruner == "none":
        return NoPruner()
    if rounds > 1:
        return ParetoPruner(spec.objectives, metrics, rounds, "round", spec.rules)
    return ParetoPruner(spec.objectives, metrics, max_epochs(spec.space), rules=spec.rules)


def judged_epochs(spec: StudySpec, rounds: int) -> Collection[int] | None:
    """Return the epochs at which the study's pruner compares an ended trial; None for all of them."""
    if spec.pruner == "none":
        return ()
    return None if rounds > 1 else rungs(max_epochs(spec.space))


def _needed(space: Space, name: str) -> dict[str, Value]:
    """Return the parent values under which a conditional parameter applies, the base's own where possible."""
    needed: dict[str, Value] = {}
    for parent, allowed in space[name].when.items():
        fitting = [value for value in values_of(space[parent]) if value in allowed]
        needed |= {**_needed(space, parent), parent: fitting[0]}
    return needed


def _filled(space: Space, changed: dict[str, Value]) -> dict[str, Value]:
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        params[name] = changed.get(name, values_of(dimension)[0])
    return params


def check_finite(space: Space, sampler: str) -> None:
    """Raise UsageError if a space has a real dimension to search, naming all of them."""
    real = [name for name in space if isinstance(d := space[name], Float) and d.low < d.high]
    if not real:
        return
    offers = "; ".join(f"{name} ({describe(space[name])})" for name in real)
    settings = " ".join(f"--set {name}={_example(space[name])}" for name in real)
    raise UsageError(
        f"sampler '{sampler}' needs finite parameters; these are continuous: {offers}", f"list values: {settings}"
    )


def _example(dimension: Any) -> str:
    low, high = float(dimension.low), float(dimension.high)
    middle = (low * high) ** 0.5 if dimension.log else (low + high) / 2
    return ",".join(f"{value:.3g}" for value in (low, middle, high))
