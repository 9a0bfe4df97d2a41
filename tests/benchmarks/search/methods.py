"""The search methods that are compared: ours, and Optuna's samplers with and without early stopping."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import optuna
from fersearch_metrics.averages import F1Macro
from fersearch_metrics.measured import CpuSeconds, PeakMemory
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState as OptunaState

from fersearch.search import Search
from fersearch.search.optuna_sampler import distributions, quiet, single
from fersearch.search.recipes import known
from fersearch.space import Space, Value
from fersearch.study import Budget, Keep, Objective, StudySpec
from fersearch.trial import Decision, Epoch, Outcome, Reason, Trial
from tests.benchmarks.search.rungs import Stopper
from tests.benchmarks.search.tables import COSTS, Matrix

OBJECTIVES = tuple(Objective(name, "max" if name == "f1_macro" else "min") for name in COSTS)
METRICS = {metric.name: metric for metric in (F1Macro(), CpuSeconds(), PeakMemory())}
DIRECTIONS = ["maximize", "minimize", "minimize"]


class Method(Protocol):
    """A search, driven in virtual time."""

    def ask(self) -> tuple[int, Mapping[str, Value]]:
        """Return a new trial's number and configuration."""
        ...

    def report(self, number: int, epoch: int, curve: Matrix) -> bool:
        """Take the values after an epoch (`curve` up to it); return whether the trial stops."""
        ...

    def finish(self, number: int, curve: Matrix, is_whole: bool) -> None:
        """Take the end of a trial after the epochs of `curve`."""
        ...


class Fersearch:
    """The project's own search with its defaults, through the three verbs that its engines call.

    With `recipes` the known ones take the place of the first of the configurations that all methods have.
    """

    def __init__(
        self, space: Space, seed: int, first: Sequence[Mapping[str, Value]], recipes: bool = False, **options: Any
    ) -> None:
        budget = Budget(10**6)
        spec = StudySpec("replay", "cnn", "faces", OBJECTIVES, space, budget=budget, seed=seed, keep=Keep("all"))
        begin = known(space) if recipes else []
        first = [*begin, *first[: len(first) - len(begin)]]
        waiting = [Trial(number, dict(params), space=space.to_json()) for number, params in enumerate(first)]
        study = type("Study", (), {"spec": replace(spec, **options)})()
        self._search = Search(study, waiting, {}, NoWriter(), METRICS, {})

    def ask(self) -> tuple[int, Mapping[str, Value]]:
        trial = self._search.ask()
        if trial is None:
            raise SystemExit("the search ended before its time")
        return trial.number, trial.params

    def report(self, number: int, epoch: int, curve: Matrix) -> bool:
        values = dict(zip(COSTS, curve[epoch - 1].tolist(), strict=True))
        return self._search.record(number, Epoch(epoch, values, 1.0)) is Decision.STOP

    def finish(self, number: int, curve: Matrix, is_whole: bool) -> None:
        self._search.finish(number, Outcome(Reason.DONE if is_whole else Reason.PRUNED), 1.0)


class NoWriter:
    """A writer for a search that is not stored."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_: None


class Optuna:
    """Optuna as its users write it; a stopped trial is reported as pruned, without values."""

    def __init__(
        self,
        space: Space,
        seed: int,
        first: Sequence[Mapping[str, Value]],
        sampler: Callable[[int], BaseSampler],
        stopper: Callable[[], Stopper] | None = None,
        stopped: OptunaState = OptunaState.PRUNED,
    ) -> None:
        self._space, self._distributions = space, distributions(space)
        with quiet():
            self._study = optuna.create_study(directions=DIRECTIONS, sampler=sampler(seed))
        for params in first:
            self._study.enqueue_trial(dict(params))
        self._stopper = stopper() if stopper else None
        self._stopped = stopped
        self._trials: dict[int, optuna.Trial] = {}

    def ask(self) -> tuple[int, Mapping[str, Value]]:
        with quiet():
            trial = self._study.ask()
            params: dict[str, Value] = {}
            for name, dimension in self._space.active(params):
                fixed = single(dimension)
                params[name] = trial._suggest(name, self._distributions[name]) if fixed is None else fixed
        self._trials[trial.number] = trial
        return trial.number, params

    def report(self, number: int, epoch: int, curve: Matrix) -> bool:
        return self._stopper is not None and self._stopper.stops(number, epoch, _losses(curve, epoch), len(curve))

    def finish(self, number: int, curve: Matrix, is_whole: bool) -> None:
        if self._stopper is not None:
            self._stopper.ended(number)
        trial = self._trials.pop(number)
        if is_whole:
            self._study.tell(trial, [float(curve[:, 0].max()), float(curve[-1, 1]), float(curve[-1, 2])])
        else:
            self._study.tell(trial, state=self._stopped)


def tpe(seed: int) -> BaseSampler:
    """Return Optuna's TPE with its defaults."""
    return TPESampler(seed=seed)


def nsga2(seed: int) -> BaseSampler:
    """Return Optuna's NSGA-II with its defaults."""
    return NSGAIISampler(seed=seed)


def uniform(seed: int) -> BaseSampler:
    """Return Optuna's random sampler."""
    return RandomSampler(seed)


def _losses(curve: Matrix, epoch: int) -> tuple[float, float, float]:
    """Return what is reported after an epoch as losses: what a user of a pruner has, costs so far."""
    f1, seconds, memory = curve[epoch - 1]
    return -float(f1), float(seconds), float(memory)
