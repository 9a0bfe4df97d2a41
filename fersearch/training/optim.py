"""Optimisers, learning-rate schedules and weight averages by the recipe's names.

A schedule is a function of the epochs passed so far, so a resumed trial needs no state for it; only `plateau` stores
the values so far. Averages of weights: Polyak and Juditsky 1992; Tarvainen and Valpola 2017.
"""

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from fersearch.errors import lookup
from fersearch.space import Value
from fersearch.study import Objective

Params = Mapping[str, Value]
Rate = Callable[[Params, float], float]
WARMUP = 0.01  # share of the learning rate at which a warm-up starts


def _sgd(weights: list[nn.Parameter], params: Params, **common: Any) -> torch.optim.Optimizer:
    momentum = float(params.get("momentum", 0.0))
    nesterov = bool(params.get("nesterov", False)) and momentum > 0
    return torch.optim.SGD(weights, momentum=momentum, nesterov=nesterov, fused=True, **common)


def _adam(weights: list[nn.Parameter], params: Params, **common: Any) -> torch.optim.Optimizer:  # noqa: ARG001
    return torch.optim.Adam(weights, fused=True, **common)


def _adamw(weights: list[nn.Parameter], params: Params, **common: Any) -> torch.optim.Optimizer:  # noqa: ARG001
    return torch.optim.AdamW(weights, fused=True, **common)


def _amsgrad(weights: list[nn.Parameter], params: Params, **common: Any) -> torch.optim.Optimizer:  # noqa: ARG001
    """Return Adam with the largest second moment so far (Reddi et al. 2018, arXiv:1904.09237)."""
    return torch.optim.Adam(weights, amsgrad=True, fused=True, **common)


def _nadam(weights: list[nn.Parameter], params: Params, **common: Any) -> torch.optim.Optimizer:  # noqa: ARG001
    return torch.optim.NAdam(weights, foreach=True, **common)


def _adagrad(weights: list[nn.Parameter], params: Params, **common: Any) -> torch.optim.Optimizer:  # noqa: ARG001
    return torch.optim.Adagrad(weights, foreach=True, **common)


def _adadelta(weights: list[nn.Parameter], params: Params, **common: Any) -> torch.optim.Optimizer:  # noqa: ARG001
    return torch.optim.Adadelta(weights, foreach=True, **common)


def _rmsprop(weights: list[nn.Parameter], params: Params, **common: Any) -> torch.optim.Optimizer:  # noqa: ARG001
    return torch.optim.RMSprop(weights, foreach=True, **common)


OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "rmsprop": _rmsprop,
    "amsgrad": _amsgrad,
    "nadam": _nadam,
    "adagrad": _adagrad,
    "adadelta": _adadelta,
}


def optimizer(weights: Iterable[nn.Parameter], params: Params) -> torch.optim.Optimizer:
    """Return the optimiser that `params` names, over the weights that are trained.

    Raises:
        UnknownName: there is no such optimiser.
    """
    make = lookup("optimizer", str(params["optimizer"]), OPTIMIZERS)
    trained = [weight for weight in weights if weight.requires_grad]
    return make(trained, params, lr=float(params["learning_rate"]), weight_decay=float(params["weight_decay"]))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _constant(params: Params, passed: float) -> float:  # noqa: ARG001
    return 1.0


def _exponential(params: Params, passed: float) -> float:
    """`decay` after every epoch."""
    return float(params["decay"]) ** int(passed)


def _step(params: Params, passed: float) -> float:
    """`step_count` drops by `step_factor`, spread evenly over the epochs."""
    drops, epochs = int(params["step_count"]), int(params["epochs"])
    fallen = sum(int(passed) >= max(1, round(epochs * drop / (drops + 1))) for drop in range(1, drops + 1))
    return float(params["step_factor"]) ** fallen


def _cosine_to_zero(params: Params, passed: float) -> float:
    """Half a cosine from the full rate to zero, step by step (Loshchilov and Hutter 2017, arXiv:1608.03983)."""
    return _cosine(1.0, 0.0, passed / int(params["epochs"]))


def _cosine_restarts(params: Params, passed: float) -> float:
    """Half cosines to zero, each restarting at the full rate and longer by a factor (Loshchilov and Hutter 2017)."""
    length, factor = float(params["restart_epochs"]), int(params["restart_factor"])
    while passed >= length:
        passed, length = passed - length, length * factor
    return _cosine(1.0, 0.0, passed / length)


def _onecycle(params: Params, passed: float) -> float:
    """Up from 1/25 in the first `warmup_share`, then down to almost nothing (Smith, Topin 2018, arXiv:1708.07120)."""
    share, warmup = passed / int(params["epochs"]), float(params["warmup_share"])
    if share < warmup:
        return _cosine(1 / 25, 1.0, share / warmup)
    return _cosine(1.0, 4e-6, (share - warmup) / (1 - warmup))


SCHEDULERS: dict[str, Rate] = {
    "none": _constant,
    "exponential": _exponential,
    "plateau": _constant,
    "step": _step,
    "cosine": _cosine_to_zero,
    "onecycle": _onecycle,
    "cosine_restarts": _cosine_restarts,
}


class Schedule:
    """A schedule that sets the learning rate before every step, or for `plateau` after every epoch.

    In the first `warmup_epochs` the rate rises linearly from a hundredth of its scheduled value
    (Goyal et al. 2017, arXiv:1706.02677); onecycle has a warm-up of its own.

    Raises:
        UnknownName: there is no such scheduler.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, params: Params, objective: Objective) -> None:
        name = str(params.get("scheduler", "none"))
        self._rate = lookup("scheduler", name, SCHEDULERS)
        self._params = params
        self._optimizer = optimizer
        self._base = float(params["learning_rate"])
        self._warmup = float(params.get("warmup_epochs", 0.0)) if name != "onecycle" else 0.0
        self._plateau = _plateau(optimizer, params, objective) if name == "plateau" else None

    def step(self, passed: float) -> None:
        """Set the rate for a step, `passed` epochs (a real number) after the start."""
        rate = self._base * self._rate(self._params, passed)
        self._set(rate if passed >= self._warmup else rate * (WARMUP + (1 - WARMUP) * passed / self._warmup))

    def update(self, value: float) -> None:
        """Update the schedule with the first objective's value on validation after an epoch."""
        if self._plateau is not None:
            self._set(self._base)
            self._plateau.step(value)
            self._base = float(self._plateau.get_last_lr()[0])

    def state_dict(self) -> dict[str, Any]:
        """Return the state to resume from; empty but for `plateau`."""
        return self._plateau.state_dict() if self._plateau else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a stored state."""
        if self._plateau:
            self._plateau.load_state_dict(state)
            self._base = float(self._plateau.get_last_lr()[0])

    def _set(self, rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = rate


def _plateau(optimizer: torch.optim.Optimizer, params: Params, objective: Objective) -> ReduceLROnPlateau:
    factor, patience = float(params["plateau_factor"]), int(params["plateau_patience"])
    return ReduceLROnPlateau(optimizer, mode=objective.direction, factor=factor, patience=patience)


class Average:
    """The average of a model's weights and statistics, as a model of its own in evaluation mode.

    After step n it is d * average + (1 - d) * weights with d = min(decay, (1 + n) / (10 + n)), so that the
    untrained start is soon forgotten. Integer tensors (a batch norm's counter) are copied.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False).eval()
        self.decay = decay
        self.steps = 0
        ours, theirs = self.model.state_dict(), model.state_dict()
        real = [name for name, tensor in ours.items() if tensor.is_floating_point()]
        self._real = [ours[name] for name in real], [theirs[name] for name in real]
        rest = ours.keys() - set(real)
        self._rest = [(ours[name], theirs[name]) for name in sorted(rest)]

    @torch.no_grad()
    def update(self) -> None:
        """Add the weights after a step to the average."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(*self._real, 1 - decay)
        for ours, theirs in self._rest:
            ours.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """Return the state to resume from."""
        return {"model": self.model.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a stored state."""
        self.model.load_state_dict(state["model"])
        self.steps = int(state["steps"])
