"""A TPE sampler that splits its trials once per proposal, with draws equal to those of Optuna's own.

Optuna's independent TPE splits all trials into good and bad ones, and collects their values, anew for every
parameter of a proposal: nine tenths of the time of an `ask`. The split depends on the trials alone, and the
parameters of a trial never change after it was proposed. As a patch to Optuna this would be: keep the result of
`_split_trials` in `TPESampler` between the `sample_independent` calls of one trial (dropped in `before_trial`), and
an array of internal values per parameter that grows with the trials.

Sources: TPE (Bergstra et al. 2011), multi-objective TPE (Ozaki et al. 2020, doi:10.1145/3377930.3389817).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import TPESampler
from optuna.samplers._tpe import sampler as optuna_tpe
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from fersearch.space import Value

TESTED = ("5.0",)
"""Releases of Optuna whose draws this sampler was compared with; with any other, Optuna's own sampler is used."""

Rows = npt.NDArray[np.int_]
Values = npt.NDArray[np.float64]
_COUNTED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)


class Observations:
    """The internal values of every proposed trial, by Optuna's trial number; NaN where a parameter does not apply."""

    def __init__(self, distributions: Mapping[str, BaseDistribution]) -> None:
        self._distributions = distributions
        self._columns = {name: column for column, name in enumerate(distributions)}
        self._values = np.full((64, len(distributions)), np.nan)

    def add(self, number: int, params: Mapping[str, Value]) -> None:
        """Add a trial's parameters; a value outside its distribution counts as absent."""
        if number >= len(self._values):
            more = np.full((max(number + 1, 2 * len(self._values)), len(self._columns)), np.nan)
            more[: len(self._values)] = self._values
            self._values = more
        for name, value in params.items():
            if name in self._columns:
                self._values[number, self._columns[name]] = _internal(self._distributions[name], value)

    def of(self, name: str, numbers: Rows) -> Values:
        """Return the values of a parameter in the trials that have it, in the order of `numbers`."""
        column: Values = self._values[numbers, self._columns[name]]
        return column[~np.isnan(column)]


class SplitOnceTPESampler(TPESampler):
    """A sampler with the draws of a `TPESampler` of the same seed; created anew for each trial.

    Where several parameters are drawn together (one objective) Optuna's own code is as cheap and is used.
    """

    def __init__(self, observations: Observations, seed: int, multivariate: bool | None = None) -> None:
        super().__init__(seed=seed, multivariate=multivariate)
        self._observations = observations
        self._split: tuple[Rows, Rows] | None = None

    def _sample(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> dict[str, Any]:
        if self._is_multivariate(study):
            return super()._sample(study, trial, search_space)
        if self._split is None:
            self._split = self._split_of(study, trial)
        ((name, distribution),) = search_space.items()
        good, others = (self._observations.of(name, numbers) for numbers in self._split)
        weights = np.ones(len(good)) if study._is_multi_objective() else None
        below = self._estimator(name, distribution, good, weights)
        above = self._estimator(name, distribution, others, None)
        samples = below.sample(self._rng.rng, self._n_ei_candidates)
        drawn = self._compare(samples, self._compute_acquisition_func(samples, below, above))
        return {name: distribution.to_external_repr(drawn[name])}

    def _split_of(self, study: Study, trial: FrozenTrial) -> tuple[Rows, Rows]:
        """Return the numbers of the good trials and of the others; trials that still run count as bad."""
        trials = [t for t in study._get_trials(deepcopy=False, states=_COUNTED) if t.number != trial.number]
        ended = sum(t.state is not TrialState.RUNNING for t in trials)
        gamma = optuna_tpe.default_gamma_multiobjective if study._is_multi_objective() else optuna_tpe.default_gamma
        good, others = optuna_tpe._split_trials(study, trials, gamma(ended))
        return np.array([t.number for t in good], dtype=int), np.array([t.number for t in others], dtype=int)

    def _estimator(self, name: str, distribution: BaseDistribution, values: Values, weights: Values | None) -> Any:
        space, parameters = {name: distribution}, self._parzen_estimator_parameters
        return self._parzen_estimator_cls({name: values}, space, parameters, weights)


def tpe_sampler(observations: Observations, seed: int, multivariate: bool | None = None) -> TPESampler:
    """Return a sampler for one proposal: SplitOnceTPESampler with a tested release of Optuna, else Optuna's own.

    `multivariate` None draws parameters together where there is one objective, as Optuna does since 5.0.
    """
    if ".".join(optuna.__version__.split(".")[:2]) in TESTED:
        return SplitOnceTPESampler(observations, seed, multivariate)
    return TPESampler(seed=seed, multivariate=multivariate)


def _internal(distribution: BaseDistribution, value: Value) -> float:
    try:
        return float(distribution.to_internal_repr(value))
    except ValueError:
        return np.nan
