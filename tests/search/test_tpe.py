"""The sampler that splits once per proposal draws what Optuna's own draws."""

import random

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler

from fersearch.search import optuna_sampler
from fersearch.search.optuna_sampler import OptunaSampler, distributions
from fersearch.search.tpe import TESTED, Observations, SplitOnceTPESampler, tpe_sampler
from fersearch.study import Objective
from tests.search.fakes import OBJECTIVES, SPACE, make_spec

DRAWS = 200


def stock(_observations: Observations, seed: int, multivariate: bool | None = None) -> TPESampler:
    return TPESampler(seed=seed, multivariate=multivariate)


def proposals(objectives: tuple[Objective, ...]) -> list[dict[str, object]]:
    """Ask 200 times with up to four trials running; every seventh fails, every fifth is a tie."""
    chance = random.Random(1)
    sampler = OptunaSampler(make_spec("tpe", trials=10**6, objectives=objectives), [], lambda _: None)
    drawn_params, running = [], []
    for number in range(DRAWS):
        params, _ = sampler.ask(number) or ({}, {})
        drawn_params.append(params)
        running.append(number)
        if len(running) > chance.randrange(4):
            ended = running.pop(0)
            values = [0.5] * len(objectives) if ended % 5 == 0 else [chance.random() for _ in objectives]
            sampler.tell(ended, None if ended % 7 == 0 else values)
    return drawn_params


@pytest.mark.parametrize("objectives", [OBJECTIVES, OBJECTIVES[:2], OBJECTIVES[:1]], ids=["three", "two", "one"])
def test_draws_equal_optunas(objectives: tuple[Objective, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    assert optuna.__version__.startswith(TESTED), "compare the draws with this release, then add it to TESTED"
    ours = proposals(objectives)
    monkeypatch.setattr(optuna_sampler, "tpe_sampler", stock)
    assert proposals(objectives) == ours


def test_another_release_of_optuna_gets_its_own_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    observations = Observations(distributions(SPACE))
    assert type(tpe_sampler(observations, 1)) is SplitOnceTPESampler
    monkeypatch.setattr(optuna, "__version__", "99.0.0")
    assert type(tpe_sampler(observations, 1)) is TPESampler


def test_observations_grow_and_leave_out_what_does_not_apply() -> None:
    observations = Observations(distributions(SPACE))
    observations.add(0, {"optimizer": "sgd", "momentum": 0.9, "width": 8})
    observations.add(500, {"optimizer": "adam", "width": 16})
    observations.add(501, {"optimizer": "of another space", "width": 32})
    rows = np.array([0, 500, 501])
    assert observations.of("momentum", rows).tolist() == [0.9]
    assert observations.of("width", rows).tolist() == [8, 16, 32]
    assert observations.of("optimizer", rows).tolist() == [0, 1]
