"""Proposals of configurations by Optuna's samplers.

Optuna's study lives in memory and is rebuilt from our trials. Each proposal is drawn by a new
sampler seeded from (study seed, trial number), so it depends on the record alone and not on how
often the process was restarted. What a sampler must remember beyond the trials (NSGA-II's
generations, the place in a Sobol sequence) lies in Optuna's system attributes, which each trial
carries in its `sampler_state`.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from fersearch.search.bounds import excesses
from fersearch.search.tpe import Observations, tpe_sampler
from fersearch.space import Choice, Dimension, Int, Params, Space, Value
from fersearch.study import StudySpec
from fersearch.trial import Trial, TrialState

Told = Callable[[Trial], list[float] | None]
Proposal = tuple[dict[str, Value], dict[str, Any]]
SAMPLER_TRIES = 5
RANDOM_TRIES = 40
POPULATION = 16
"""NSGA-II's generation: small, since studies here have tens or hundreds of trials."""


class OptunaSampler:
    """A sampler that continues from any trials as if it had proposed them itself.

    `values_of` gives the objectives' values of a trial that ended, None for a failure.
    Trials must be numbered from 0 without gaps.
    """

    def __init__(self, spec: StudySpec, trials: Iterable[Trial], values_of: Told) -> None:
        lookup("sampler", spec.sampler, _SAMPLERS)
        self.exhausted = False
        self._spec = spec
        self._distributions = distributions(spec.space)
        self._json = spec.space.to_json()
        self._storage = InMemoryStorage()
        with quiet():
            self._study = optuna.create_study(storage=self._storage, directions=_directions(spec))
        (self._study_id,) = (study._study_id for study in self._storage.get_all_studies())
        self._began = datetime.now()  # Optuna wants a trial to have begun; it compares nothing by that
        self._ids: dict[int, int] = {}
        self._observations = Observations(self._distributions)
        self._proposed: set[frozenset[tuple[str, Value]]] = set()
        for trial in sorted(trials, key=lambda trial: trial.number):
            self._restore(trial, values_of)

    def ask(self, number: int) -> Proposal | None:
        """Propose parameters that no trial had, with the sampler state to store; None if the space is exhausted."""
        before = dict(self._storage.get_study_system_attrs(self._study_id))
        for skipped in range(SAMPLER_TRIES + RANDOM_TRIES):
            params, trial = self._draw(number, skipped)
            if frozenset(params.items()) not in self._proposed:
                return self._accept(number, params, before, trial, skipped)
            self._study.tell(trial, state=OptunaState.FAIL)
        return self._leftover(number, before)

    def add(self, trial: Trial) -> None:
        """Take in a trial that another proposed, which has not ended."""
        self._restore(trial, lambda _: None)

    def tell(self, number: int, values: Sequence[float] | None, excesses: Mapping[str, float] = {}) -> None:
        """Report the result of a proposed trial: its objectives' values, or None for a failure.

        `excesses` says by how much each bound is broken, negative where it holds. A trial that broke one and has no
        values counts as pruned, so that the sampler learns where not to go.
        """
        trial = self._ids[number]
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, trial)
        for key, value in _constraints(excesses).items():
            self._storage.set_trial_system_attr(trial_id, key, value)
        if values is None:
            self._study.tell(trial, state=OptunaState.PRUNED if excesses else OptunaState.FAIL)
        else:
            self._study.tell(trial, [float(value) for value in values])

    def _draw(self, number: int, tries: int) -> tuple[dict[str, Value], int]:
        name = self._spec.sampler if tries < SAMPLER_TRIES else "random"
        with quiet():
            self._study.sampler = self._sampler(name, seed_of(self._spec.seed, number, tries))
            trial = self._study.ask()
            params: dict[str, Value] = {}
            for key, dimension in self._spec.space.active(params):
                fixed = single(dimension)
                params[key] = _suggest(trial, key, dimension) if fixed is None else fixed
        return params, trial.number

    def _sampler(self, name: str, seed: int) -> BaseSampler:
        return _SAMPLERS[name](self._spec, self._observations, seed)

    def _accept(
        self, number: int, params: dict[str, Value], before: Mapping[str, Any], trial: int, skipped: int
    ) -> Proposal:
        self._know(number, trial, params)
        after = self._storage.get_study_system_attrs(self._study_id)
        state = {
            "trial": dict(self._storage.get_trial(trial).system_attrs),
            "study": {key: value for key, value in after.items() if key not in before or before[key] != value},
            "skipped": skipped,
        }
        return params, {key: value for key, value in state.items() if value}

    def _know(self, number: int, trial: int, params: Params) -> None:
        self._ids[number] = trial
        self._proposed.add(frozenset(params.items()))
        self._observations.add(trial, params)

    def _leftover(self, number: int, before: Mapping[str, Any]) -> Proposal | None:
        """Return the first configuration not yet drawn: random draws seldom find the last ones of a small space."""
        for params in self._spec.space.configurations():
            if frozenset(params.items()) not in self._proposed:
                trial = self._add(self._frozen(Trial(number, params, TrialState.RUNNING), None))
                return self._accept(number, params, before, trial, SAMPLER_TRIES + RANDOM_TRIES)
        self.exhausted = True
        return None

    def _restore(self, trial: Trial, values_of: Told) -> None:
        for _ in range(trial.sampler_state.get("skipped", 0)):
            self._add(create_trial(state=OptunaState.FAIL))
        added = self._add(self._frozen(trial, values_of(trial) if trial.state.ended else None))
        self._know(trial.number, added, trial.params)
        for key, value in trial.sampler_state.get("study", {}).items():
            self._storage.set_study_system_attr(self._study_id, key, value)

    def _frozen(self, trial: Trial, values: list[float] | None) -> FrozenTrial:
        excess = excesses(self._spec.where, trial.values) if trial.state.ended else {}
        without = OptunaState.PRUNED if excess else OptunaState.FAIL
        state = OptunaState.RUNNING if not trial.state.ended else OptunaState.COMPLETE if values else without
        distributions = self._space_distributions(trial.space)
        searched = {key: value for key, value in trial.params.items() if key in distributions}
        return _Kept(
            number=-1,
            trial_id=-1,
            state=state,
            value=None,
            values=values,
            datetime_start=self._began,
            datetime_complete=self._began if state.is_finished() else None,
            params=searched,
            distributions={key: distributions[key] for key in searched},
            user_attrs={},
            system_attrs={**trial.sampler_state.get("trial", {}), **_constraints(excess)},
            intermediate_values={},
        )

    def _space_distributions(self, space: Mapping[str, Any]) -> Mapping[str, BaseDistribution]:
        """Return the Optuna distributions of a trial's own space; trials of this study share one space."""
        return self._distributions if not space or space == self._json else distributions(Space.from_json(space))

    def _add(self, frozen: FrozenTrial) -> int:
        return self._storage.get_trial_number_from_id(self._storage.create_new_trial(self._study_id, frozen))


class _Kept(FrozenTrial):
    """A trial for storage alone, which is not copied and shares its distributions."""

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self


class _SpaceQMC(QMCSampler):
    """Sobol points over the whole space, so that conditional dimensions have their place in the sequence too."""

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

    Trial numbers stay. Infeasible trials come as failed, and so do those that saw other data than that of
    `data_digest`, where one is given; what Optuna has no field for comes as user attributes (`state`, `reason`,
    `epochs`, `checkpoint`, `data`, and `value:<metric>` of every metric).
    """
    with quiet():
        study = optuna.create_study(study_name=spec.name, directions=_directions(spec))
        study.set_metric_names([objective.metric for objective in spec.objectives])
    for trial in sorted(trials, key=lambda trial: trial.number):
        study.add_trial(_exported(spec, trial, trial.saw(data_digest)))
    return study


def _constraints(excesses: Mapping[str, float]) -> dict[str, float]:
    """Return what Optuna keeps of a trial's constraints: a trial is feasible where none is above 0."""
    trial = create_trial(state=OptunaState.FAIL)
    for name, excess in excesses.items():
        trial.set_constraint(name, excess)
    return trial.system_attrs


def seed_of(study_seed: int, number: int, tries: int) -> int:
    """Return a 32-bit seed for one draw of one trial."""
    return int.from_bytes(hashlib.sha256(f"{study_seed}:{number}:{tries}".encode()).digest()[:4])


def single(dimension: Dimension) -> Value | None:
    """Return the only value a dimension can take; None if there are several."""
    if isinstance(dimension, Choice):
        return dimension.options[0] if len(dimension.options) == 1 else None
    return dimension.low if dimension.low == dimension.high else None


def distributions(space: Space, fixed: bool = False) -> dict[str, BaseDistribution]:
    """Return Optuna's distribution of each dimension that has several values (of all of them, if `fixed`)."""
    return {name: _distribution(space[name]) for name in space if fixed or single(space[name]) is None}


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.options)
    if isinstance(dimension, Int):
        return IntDistribution(dimension.low, dimension.high, log=dimension.log)
    return FloatDistribution(float(dimension.low), float(dimension.high), log=dimension.log)


def _suggest(trial: optuna.Trial, name: str, dimension: Dimension) -> Value:
    """Let the sampler choose one value, as plain Python."""
    if isinstance(dimension, Choice):
        option: Value = trial.suggest_categorical(name, dimension.options)  # type: ignore[assignment]
        return option
    if isinstance(dimension, Int):
        return int(trial.suggest_int(name, dimension.low, dimension.high, log=dimension.log))
    return float(trial.suggest_float(name, float(dimension.low), float(dimension.high), log=dimension.log))


def _exported(spec: StudySpec, trial: Trial, is_compared: bool) -> FrozenTrial:
    known = distributions(Space.from_json(trial.space) if trial.space else spec.space, fixed=True)
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
