"""The importance of each parameter for an objective, by Optuna's evaluators."""

import warnings
from collections.abc import Sequence

import optuna
from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from fersearch.search.optuna_sampler import to_optuna
from fersearch.study import StudySpec
from fersearch.trial import Trial

FEWEST = 10
"""Least number of complete trials; with fewer, importances are mostly chance."""
MOST = 200
"""Most complete trials for fANOVA, which then takes seconds; beyond, PED-ANOVA is used."""


def importances(spec: StudySpec, trials: Sequence[Trial]) -> tuple[str, list[dict[str, float]]] | None:
    """Return the method and each objective's importances, largest first; None with too few trials.

    Only parameters that every complete trial has, and that vary, are weighed. Sources: fANOVA, Hutter et al. 2014;
    PED-ANOVA, Watanabe et al. 2023 (arXiv:2304.10255).
    """
    study = to_optuna(spec, trials)
    complete = study.get_trials(deepcopy=False, states=(OptunaState.COMPLETE,))
    names = _shared(complete)
    if len(complete) < FEWEST or not names:
        return None
    fanova = len(complete) <= MOST
    shares = [_weighed(study, place, names, fanova) for place in range(len(spec.objectives))]
    return ("fANOVA" if fanova else "PED-ANOVA"), shares


def _weighed(study: optuna.Study, place: int, names: list[str], fanova: bool) -> dict[str, float]:
    evaluator = FanovaImportanceEvaluator(seed=0) if fanova else PedAnovaImportanceEvaluator()
    values = [trial.values[place] for trial in study.get_trials(deepcopy=False, states=(OptunaState.COMPLETE,))]
    if min(values) == max(values):
        return dict.fromkeys(names, 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(
            get_param_importances(study, evaluator=evaluator, params=names, target=lambda trial: trial.values[place])
        )


def _shared(trials: Sequence[FrozenTrial]) -> list[str]:
    """Return the parameters that all of the trials have and whose values differ."""
    names = set.intersection(*(set(trial.params) for trial in trials)) if trials else set()
    return sorted(name for name in names if len({repr(trial.params[name]) for trial in trials}) > 1)
