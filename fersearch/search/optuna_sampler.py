"""Proposals of configurations by Optuna's samplers.

Optuna's study lives in memory and is rebuilt from our trials. Each proposal is drawn by a new
sampler seeded from (study seed, trial number), so it depends on the record alone and not on how
often the process was restarted. State of a sampler beyond the trials (NSGA-II's generations, the
position in a Sobol sequence) is in Optuna's system attributes, which each trial stores in its
`sampler_state`.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, QMCSampler, RandomSampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from fersearch.errors import lookup
from fersearch.search.aggregation import undefined
from fersearch.search.fitting import covering, filled, is_learnable
from fersearch.search.tpe import Observations, tpe_sampler
from fersearch.space import Choice, Dimension, Float, Int, Params, Space, Value, single
from fersearch.study import StudySpec
from fersearch.trial import Trial, TrialState

ValuesOf = Callable[[Trial], list[float] | None]
Proposal = tuple[dict[str, Value], dict[str, Any]]
SAMPLER_TRIES = 5
RANDOM_TRIES = 40
POPULATION = 16
"""NSGA-II's generation: small, since studies here have tens or hundreds of trials."""


class OptunaSampler:
    """A sampler that continues from any trials as if it had proposed them itself.

    `values_of` gives the objectives' values of a trial that ended, None for a failure; `excesses_of` by how much it
    breaks each bound. Trials must be numbered from 0 without gaps. Of `prior` trials of another study, only the
    searched parameters are used.
    """

    def __init__(
        self,
        spec: StudySpec,
        trials: Iterable[Trial],
        values_of: ValuesOf,
        prior: Iterable[Trial] = (),
        excesses_of: Callable[[Trial], Mapping[str, float]] = lambda _: {},
    ) -> None:
        lookup("sampler", spec.sampler, _SAMPLERS)
        self.exhausted = False
        self._excesses_of = excesses_of
        self._spec = spec
        self._distributions = distributions(spec.space)
        self._json = spec.space.to_json()
        self._storage = InMemoryStorage()
        with quiet():
            self._study = optuna.create_study(storage=self._storage, directions=_directions(spec))
        (self._study_id,) = (study._study_id for study in self._storage.get_all_studies())
        self._began = datetime.now()  # Optuna requires a start time, and uses it for nothing
        self._ids: dict[int, int] = {}
        self._observations = Observations(self._distributions)
        self._proposed: set[frozenset[tuple[str, Value]]] = set()
        self._unfit: set[int] = set()
        for trial in prior:
            self._learn(trial, values_of)
        for trial in sorted(trials, key=lambda trial: trial.number):
            self._restore(trial, values_of)

    def ask(self, number: int, fixed: Mapping[str, Value] = {}) -> Proposal | None:
        """Propose parameters that no trial had, with the sampler state to store; None if the space is exhausted.

        Parameters that are `fixed` have these values.
        """
        if fixed and not self._is_left(fixed):
            return None
        before = dict(self._storage.get_study_system_attrs(self._study_id))
        for skipped in range(SAMPLER_TRIES + RANDOM_TRIES):
            params, trial = self._draw(number, skipped, fixed)
            if frozenset(params.items()) not in self._proposed:
                return self._accept(number, params, before, trial, skipped)
            self._study.tell(trial, state=OptunaState.FAIL)
        return self._leftover(number, before, fixed)

    def add(self, trial: Trial) -> None:
        """Add an unfinished trial that was not proposed by this sampler."""
        self._restore(trial, lambda _: None)

    def tell(self, number: int, values: Sequence[float] | None, excesses: Mapping[str, float] = {}) -> None:
        """Report the result of a proposed trial: its objectives' values, or None for a failure.

        `excesses` says by how much each bound is broken, negative where it holds.
        """
        trial = self._ids[number]
        if number in self._unfit:
            self._study.tell(trial, state=OptunaState.FAIL)
            return
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial)
        for key, value in _constraints(excesses).items():
            self._storage.set_trial_system_attr(trial_id, key, value)
        if values is None:
            self._study.tell(trial, state=_without_values(excesses))
        else:
            self._study.tell(trial, [float(value) for value in values])

    def _draw(self, number: int, tries: int, fixed: Params) -> tuple[dict[str, Value], int]:
        name = self._spec.sampler if tries < SAMPLER_TRIES else "random"
        with quiet():
            self._study.sampler = self._sampler(name, seed_of(self._spec.seed, number, tries))
            if fixed:
                self._study.enqueue_trial({key: fixed[key] for key in fixed if key in self._distributions})
            trial = self._study.ask()
            params: dict[str, Value] = {}
            for key, dimension in self._spec.space.active(params):
                only = single(dimension)
                params[key] = _suggest(trial, key, dimension) if only is None else only
        return params, trial.number

    def _sampler(self, name: str, seed: int) -> BaseSampler:
        return _SAMPLERS[name](self._spec, self._observations, seed)

    def _accept(
        self, number: int, params: dict[str, Value], before: Mapping[str, Any], trial: int, skipped: int
    ) -> Proposal:
        self._register(number, trial, params)
        after = self._storage.get_study_system_attrs(self._study_id)
        state = {
            "trial": dict(self._storage.get_trial(trial).system_attrs),
            "study": {key: value for key, value in after.items() if key not in before or before[key] != value},
            "skipped": skipped,
        }
        return params, {key: value for key, value in state.items() if value}

    def _register(self, number: int, trial: int, params: Params) -> None:
        self._ids[number] = trial
        self._proposed.add(frozenset(params.items()))
        self._observations.add(trial, params)

    def _leftover(self, number: int, before: Mapping[str, Any], fixed: Params) -> Proposal | None:
        """Return the first configuration not yet drawn, as random draws seldom hit the last ones of a small space."""
        for params in self._spec.space.pinned(fixed).configurations():
            if frozenset(params.items()) not in self._proposed:
                trial = self._add(self._frozen(Trial(number, params, TrialState.RUNNING), None))
                return self._accept(number, params, before, trial, SAMPLER_TRIES + RANDOM_TRIES)
        self.exhausted = self.exhausted or not fixed
        return None

    def _is_left(self, fixed: Params) -> bool:
        """Return whether any configuration with the fixed values was not yet proposed."""
        left, only = self._spec.space.pinned(fixed), self._spec.space.completed(fixed)
        if only is None and any(isinstance(d, Float) and d.low < d.high for d in left.dimensions.values()):
            return True
        candidates = left.configurations() if only is None else [only]
        return any(frozenset(params.items()) not in self._proposed for params in candidates)

    def _restore(self, trial: Trial, values_of: ValuesOf) -> None:
        for _ in range(trial.sampler_state.get("skipped", 0)):
            self._add(create_trial(state=OptunaState.FAIL))
        for key, value in trial.sampler_state.get("study", {}).items():
            self._storage.set_study_system_attr(self._study_id, key, value)
        if not self._fits(trial):
            self._unfit.add(trial.number)
            trial = Trial(trial.number, {}, TrialState.FAILED if trial.state.ended else TrialState.RUNNING)
        added = self._add(self._frozen(trial, values_of(trial) if trial.state.ended else None))
        self._register(trial.number, added, trial.params)

    def _learn(self, trial: Trial, values_of: ValuesOf) -> None:
        """Add a complete trial of another study; its configuration may still be proposed."""
        params = filled(self._spec.space, trial.params)
        if is_learnable(self._spec, params):
            added = self._add(self._frozen(replace(trial, params=params), values_of(trial)))
            self._observations.add(added, params)

    def _frozen(self, trial: Trial, values: list[float] | None) -> FrozenTrial:
        excess = self._excesses_of(trial)
        ended = OptunaState.COMPLETE if values else _without_values(excess)
        state = ended if trial.state.ended else OptunaState.RUNNING
        searched = {key: value for key, value in trial.params.items() if key in self._distributions}
        return _UncopiedTrial(
            number=-1,
            trial_id=-1,
            state=state,
            value=None,
            values=values,
            datetime_start=self._began,
            datetime_complete=self._began if state.is_finished() else None,
            params=searched,
            distributions={key: self._distributions[key] for key in searched},
            user_attrs={},
            system_attrs={**trial.sampler_state.get("trial", {}), **_constraints(excess)},
            intermediate_values={},
        )

    def _fits(self, trial: Trial) -> bool:
        """Return whether the sampler learns from a trial: one of another space counts if it is in this one."""
        return not trial.space or trial.space == self._json or is_learnable(self._spec, trial.params)

    def _add(self, frozen: FrozenTrial) -> int:
        return self._storage.get_trial_number_from_id(self._storage.create_new_trial(self._study_id, frozen))


class _UncopiedTrial(FrozenTrial):
    """A trial that Optuna's in-memory storage need not copy, and that shares its distributions."""

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self


class _SpaceQMC(QMCSampler):
    """A Sobol sampler over the whole space, so that conditional dimensions are part of the sequence too."""

    def __init__(self, spec: StudySpec, seed: int) -> None:
        super().__init__(
            scramble=True,
            seed=seed_of(spec.seed, 0, 0),
            independent_sampler=RandomSampler(seed),
            warn_independent_sampling=False,
        )
        self._whole = distributions(spec.space)

    def infer_relative_search_space(self, _study: Any, _trial: Any) -> dict[str, BaseDistribution]:
        """Return every searched dimension, whether it applies or not."""
        return self._whole


_SAMPLERS: dict[str, Callable[[StudySpec, Observations, int], BaseSampler]] = {
    "tpe": lambda spec, observations, seed: tpe_sampler(observations, seed, None if spec.rules > 1 else False),
    "nsga2": lambda _spec, _observations, seed: NSGAIISampler(seed=seed, population_size=POPULATION),
    "random": lambda _spec, _observations, seed: RandomSampler(seed),
    "gp": lambda _spec, _observations, seed: GPSampler(seed=seed, warn_independent_sampling=False),
    "qmc": lambda spec, _observations, seed: _SpaceQMC(spec, seed),
}


def to_optuna(spec: StudySpec, trials: Iterable[Trial], data_digest: str = "") -> optuna.Study:
    """Return the study as an in-memory Optuna study, for Optuna's plots and dashboard.

    Trial numbers are kept. Infeasible trials become failed ones, and so do those on other data than that of
    `data_digest`, if given, and complete ones without a value of an objective; values without a field in Optuna become
    user attributes (`state`, `reason`, `epochs`, `checkpoint`, `data`, and `value:<metric>` of every metric).
    """
    with quiet():
        study = optuna.create_study(study_name=spec.name, directions=_directions(spec))
        study.set_metric_names([objective.metric for objective in spec.objectives])
    trials = sorted(trials, key=lambda trial: trial.number)
    known = _of_all_spaces(spec, trials)
    for trial in trials:
        is_whole = trial.state is not TrialState.COMPLETE or not undefined(trial.values, spec.objectives)
        study.add_trial(_exported(spec, trial, known, trial.saw(data_digest) and is_whole))
    return study


def _of_all_spaces(spec: StudySpec, trials: Sequence[Trial]) -> dict[str, BaseDistribution]:
    """Return the distribution of each dimension that a study has or had; Optuna requires the same for all trials."""
    stored = {json.dumps(trial.space): trial.space for trial in trials if trial.space}
    spaces = [spec.space, *map(Space.from_json, stored.values())]
    names = dict.fromkeys(name for space in spaces for name in space)
    return {
        name: _distribution(
            covering(
                [space[name] for space in spaces if name in space], [t.params[name] for t in trials if name in t.params]
            )
        )
        for name in names
    }


def _without_values(excesses: Mapping[str, float]) -> OptunaState:
    """Return the state of a trial without values: pruned if it broke a bound, so that the sampler learns from that."""
    return OptunaState.PRUNED if max(excesses.values(), default=0.0) > 0 else OptunaState.FAIL


def _constraints(excesses: Mapping[str, float]) -> dict[str, float]:
    """Return Optuna's system attribute for a trial's constraints: a trial is feasible where none is above 0."""
    trial = create_trial(state=OptunaState.FAIL)
    for name, excess in excesses.items():
        trial.set_constraint(name, excess)
    return trial.system_attrs


def seed_of(study_seed: int, number: int, tries: int) -> int:
    """Return a 32-bit seed for one draw of one trial."""
    return int.from_bytes(hashlib.sha256(f"{study_seed}:{number}:{tries}".encode()).digest()[:4])


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution of each dimension that has several values."""
    return {name: _distribution(space[name]) for name in space if single(space[name]) is None}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.options)
    if isinstance(dimension, Int):
        return IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return FloatDistribution(float(dimension.low), float(dimension.high), log=dimension.log)


def _suggest(trial: optuna.Trial, name: str, dimension: Dimension) -> Value:
    """Return one value suggested by the sampler, as a plain Python value."""
    if isinstance(dimension, Choice):
        option: Value = trial.suggest_categorical(name, dimension.options)  # type: ignore[assignment]
        return option
    if isinstance(dimension, Int):
        return int(trial.suggest_int(name, dimension.low, dimension.high, log=dimension.log))
    return float(trial.suggest_float(name, float(dimension.low), float(dimension.high), log=dimension.log))


def _exported(spec: StudySpec, trial: Trial, known: Mapping[str, BaseDistribution], is_compared: bool) -> FrozenTrial:
    params = {name: value for name, value in trial.params.items() if name in known}
    complete = trial.state is TrialState.COMPLETE and is_compared
    return create_trial(
        state=_EXPORTED[trial.state] if is_compared else OptunaState.FAIL,
        values=[float(trial.values[objective.metric]) for objective in spec.objectives] if complete else None,
        params=params,
        distributions={name: known[name] for name in params},
        user_attrs={
            "state": str(trial.state),
            "reason": str(trial.reason or ""),
            "epochs": trial.epochs,
            "checkpoint": trial.checkpoint,
            "data": trial.data_digest,
            **{f"value:{metric}": value for metric, value in trial.values.items()},
        },
    )


_EXPORTED = {
    TrialState.WAITING: OptunaState.WAITING,
    TrialState.RUNNING: OptunaState.RUNNING,
    TrialState.COMPLETE: OptunaState.COMPLETE,
    TrialState.PRUNED: OptunaState.PRUNED,
    TrialState.INFEASIBLE: OptunaState.FAIL,
    TrialState.FAILED: OptunaState.FAIL,
}


def _directions(spec: StudySpec) -> list[StudyDirection]:
    better = {"max": StudyDirection.MAXIMIZE, "min": StudyDirection.MINIMIZE}
    return [better[objective.direction] for objective in spec.objectives]


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress Optuna's notices and its warnings about experimental features, and restore both afterwards."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
