"""Every optimiser steps under every schedule, and the rates are what they should be."""

import itertools
from typing import Any

import pytest
import torch
from torch import nn

from fersearch.errors import UnknownName
from fersearch.study import Objective
from fersearch.training.optim import OPTIMIZERS, SCHEDULERS, Schedule, optimizer

F1 = Objective("f1_macro", "max")
KNOBS: dict[str, Any] = {
    "epochs": 10,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.01,
    "decay": 0.5,
    "plateau_factor": 0.5,
    "plateau_patience": 1,
    "step_factor": 0.1,
    "step_count": 3,
    "warmup_share": 0.3,
    "restart_epochs": 2,
    "restart_factor": 2,
}


def rates(scheduler: str, times: list[float], **changed: Any) -> list[float]:
    params = {**KNOBS, "optimizer": "sgd", "scheduler": scheduler, **changed}
    updates = optimizer([nn.Parameter(torch.ones(2))], params)
    schedule = Schedule(updates, params, F1)
    rates_seen = []
    for passed in times:
        schedule.step(passed)
        rates_seen.append(updates.param_groups[0]["lr"])
    return rates_seen


@pytest.mark.parametrize(("name", "scheduler"), list(itertools.product(OPTIMIZERS, SCHEDULERS)))
def test_every_optimiser_moves_the_weights_under_every_schedule(name: str, scheduler: str) -> None:
    weight = nn.Parameter(torch.ones(3))
    params = {**KNOBS, "optimizer": name, "scheduler": scheduler}
    updates = optimizer([weight], params)
    schedule = Schedule(updates, params, F1)
    for epoch, step in itertools.product(range(10), range(2)):
        before = weight.detach().clone()
        schedule.step(epoch + step / 2)
        updates.zero_grad(set_to_none=True)
        weight.sum().backward()
        updates.step()
        if step:
            schedule.update(1.0)
        rate = updates.param_groups[0]["lr"]
        assert 0 <= rate <= 0.1
        assert not torch.equal(before, weight) or rate < 1e-6


def test_only_trained_weights_reach_the_optimiser() -> None:
    free, frozen = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1), requires_grad=False)
    updates = optimizer([free, frozen], {**KNOBS, "optimizer": "adam"})
    assert [id(weight) for group in updates.param_groups for weight in group["params"]] == [id(free)]


def test_nesterov_without_momentum_is_plain_sgd() -> None:
    updates = optimizer([nn.Parameter(torch.ones(1))], {**KNOBS, "optimizer": "sgd", "momentum": 0.0})
    assert updates.defaults["nesterov"] is False
    updates = optimizer([nn.Parameter(torch.ones(1))], {**KNOBS, "optimizer": "sgd"})
    assert updates.defaults["nesterov"] is True


def test_an_unknown_optimiser_is_suggested_its_neighbour() -> None:
    with pytest.raises(UnknownName, match="did you mean 'adamw'"):
        optimizer([nn.Parameter(torch.ones(1))], {**KNOBS, "optimizer": "admw"})


def test_exponential_decays_once_an_epoch() -> None:
    assert rates("exponential", [0, 0.9, 1, 1.5, 2]) == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


def test_step_spreads_its_drops_evenly() -> None:
    epochs = [float(epoch) for epoch in range(8)]
    assert rates("step", epochs, epochs=8) == pytest.approx([0.1, 0.1, 1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4])
    assert rates("step", [0.0, 1.0], epochs=2, step_count=20)[0] == 0.1


def test_cosine_goes_from_the_full_rate_to_zero_step_by_step() -> None:
    assert rates("cosine", [0, 2.5, 5, 10]) == pytest.approx([0.1, 0.0853553, 0.05, 0.0], abs=1e-6)


def test_onecycle_rises_then_falls_to_almost_nothing() -> None:
    cycle = rates("onecycle", [0, 1.5, 3, 10])
    assert cycle == pytest.approx([0.004, 0.052, 0.1, 4e-7])
    assert rates("onecycle", [0.0], warmup_share=0.0) == [0.1]


def test_onecycle_equals_torchs_own_at_its_corners() -> None:
    weight = nn.Parameter(torch.ones(1))
    updates = torch.optim.SGD([weight], 0.1)
    torchs = torch.optim.lr_scheduler.OneCycleLR(updates, 0.1, total_steps=101, pct_start=31 / 101)
    rates_seen = []
    for _ in range(100):
        rates_seen.append(updates.param_groups[0]["lr"])
        updates.step()
        torchs.step()
    ours = rates("onecycle", [step / 10 for step in range(100)])
    assert ours == pytest.approx(rates_seen, rel=0.01, abs=1e-6)


@pytest.mark.parametrize(("direction", "worse"), [("max", [0.5, 0.4, 0.4]), ("min", [0.5, 0.6, 0.6])])
def test_plateau_follows_the_first_objective_in_its_direction(direction: str, worse: list[float]) -> None:
    params = {**KNOBS, "optimizer": "sgd", "scheduler": "plateau"}
    updates = optimizer([nn.Parameter(torch.ones(1))], params)
    schedule = Schedule(updates, params, Objective("m", direction))  # type: ignore[arg-type]
    rates_seen = []
    for value in worse:
        schedule.step(1.0)
        schedule.update(value)
        rates_seen.append(updates.param_groups[0]["lr"])
    assert rates_seen == [0.1, 0.1, 0.05]


def test_cosine_restarts_at_the_full_rate_after_ever_longer_rounds() -> None:
    assert rates("cosine_restarts", [0, 1, 2, 4, 6, 10]) == pytest.approx([0.1, 0.05, 0.1, 0.05, 0.1, 0.05])
    assert rates("cosine_restarts", [0, 2, 4], restart_factor=1) == pytest.approx([0.1, 0.1, 0.1])


def test_cosine_restarts_equal_torchs() -> None:
    updates = torch.optim.SGD([nn.Parameter(torch.ones(1))], 0.1)
    torchs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(updates, T_0=2, T_mult=2)
    rates_seen = []
    updates.step()
    for _ in range(10):
        rates_seen.append(updates.param_groups[0]["lr"])
        torchs.step()
    assert rates("cosine_restarts", [float(epoch) for epoch in range(10)]) == pytest.approx(rates_seen)


@pytest.mark.parametrize("scheduler", sorted(set(SCHEDULERS) - {"onecycle"}))
def test_a_warm_up_rises_in_a_straight_line_to_the_schedules_rate(scheduler: str) -> None:
    times = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0]
    plain, warmed = rates(scheduler, times), rates(scheduler, times, warmup_epochs=2.0)
    shares = [ours / theirs for ours, theirs in zip(warmed, plain, strict=True)]
    assert shares == pytest.approx([0.01, 0.2575, 0.505, 0.7525, 1.0, 1.0])


def test_onecycle_has_a_warm_up_of_its_own() -> None:
    assert rates("onecycle", [0.0, 1.0], warmup_epochs=2.0) == rates("onecycle", [0.0, 1.0])


def test_a_plateau_falls_during_the_warm_up_and_continues_from_a_stored_state() -> None:
    params = {**KNOBS, "optimizer": "sgd", "scheduler": "plateau", "plateau_patience": 0, "warmup_epochs": 4.0}
    rates_seen, state = [], {}
    for resumed in (False, True):
        updates = optimizer([nn.Parameter(torch.ones(1))], params)
        schedule = Schedule(updates, params, F1)
        if resumed:
            schedule.load_state_dict(state)
        for value in () if resumed else (0.5, 0.4):
            schedule.step(2.0)
            schedule.update(value)
        state = schedule.state_dict()
        schedule.step(2.0)
        rates_seen.append(updates.param_groups[0]["lr"])
        schedule.step(4.0)
        rates_seen.append(updates.param_groups[0]["lr"])
    assert rates_seen == pytest.approx([0.5 * 0.0505, 0.05] * 2)
