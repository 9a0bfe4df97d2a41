"""Targets and losses.

Focal loss: Lin et al. 2017, arXiv:1708.02002. Class weights by effective number: Cui et al. 2019,
arXiv:1901.05555. The `probability`, `crossentropy` and `multi_target` targets: Barsoum et al. 2016,
arXiv:1608.01041.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fersearch.errors import lookup
from fersearch.space import Value
from fersearch.training.numerics import wrap

Loss = Callable[[Tensor, Tensor], Tensor]
EFFECTIVE_BETA = 0.999


@dataclass(frozen=True)
class Targets:
    """Targets of the images: class indices (int64, n) or class shares (float32, n x classes).

    With `drawn`, one class is drawn from an image's shares each time the image is shown.
    """

    values: Tensor
    drawn: bool = False

    @classmethod
    def of(
        cls, target: str, hard: "np.ndarray[Any, Any]", soft: "np.ndarray[Any, Any] | None", num_classes: int
    ) -> "Targets":
        """Return the targets of a trial: the class shares `soft` if given, else the labels `hard`."""
        if soft is not None:
            return cls(wrap(soft), drawn=target == "probability")
        return cls(F.one_hot(wrap(hard).clamp_min(0), num_classes).float() if target == "multi_target" else wrap(hard))

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the targets of some rows for one epoch; with `drawn`, freshly drawn classes."""
        values = self.values.index_select(0, rows)
        return torch.multinomial(values, 1, generator=generator).squeeze(1) if self.drawn else values


def cross_entropy(logits: Tensor, targets: Tensor, *, weights: Tensor | None, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross entropy of logits (n, classes) with class indices (n) or shares (n, classes)."""
    return F.cross_entropy(logits, targets, weights, label_smoothing=smoothing)


def focal(logits: Tensor, targets: Tensor, *, weights: Tensor | None, gamma: float) -> Tensor:
    """Return the mean of -sum_k t_k w_k (1 - p_k)^gamma log p_k; gamma 0 is cross entropy."""
    log_p = F.log_softmax(logits, 1)
    shares = targets if targets.is_floating_point() else F.one_hot(targets, logits.shape[1])
    lost = shares * (1 - log_p.exp()).clamp_min(0) ** gamma * log_p
    return -(lost if weights is None else lost * weights).sum(1).mean()


def multi_target(logits: Tensor, targets: Tensor, *, weights: Tensor | None) -> Tensor:
    """Return the mean of -log max_k(t'_k p_k) with t' = 0.999 t + 0.001: predicting any one target class suffices."""
    shares = targets if targets.is_floating_point() else F.one_hot(targets, logits.shape[1])
    best, chosen = (F.log_softmax(logits, 1) + (0.999 * shares + 0.001).log()).max(1)
    return -(best if weights is None else best * weights[chosen]).mean()


LOSSES: dict[str, Callable[[Mapping[str, Value], Tensor | None], Loss]] = {
    "cross_entropy": lambda params, weights: partial(
        cross_entropy, weights=weights, smoothing=float(params.get("label_smoothing", 0.0))
    ),
    "focal": lambda params, weights: partial(focal, weights=weights, gamma=float(params.get("focal_gamma", 2.0))),
}


def criterion(params: Mapping[str, Value], weights: Tensor | None = None) -> Loss:
    """Return the loss that `params` names; the target `multi_target` has a loss of its own.

    `loss_scale` multiplies it: 10 is the cross entropy with the raw counts of ten votes.

    Raises:
        UnknownName: there is no such loss.
    """
    if params.get("target") == "multi_target":
        loss: Loss = partial(multi_target, weights=weights)
    else:
        loss = lookup("loss", str(params.get("loss", "cross_entropy")), LOSSES)(params, weights)
    scale = float(params.get("loss_scale", 1.0))
    return loss if scale == 1 else lambda logits, targets: scale * loss(logits, targets)


def mass(params: Mapping[str, Value], weights: Tensor | None, targets: Tensor) -> Tensor | float:
    """Return what the mean of `criterion` over a batch is divided by: the number of targets, or their class weights'
    sum.

    A batch's loss is the mean of its parts' losses, each counted by its mass.
    """
    by_class = params.get("target") != "multi_target" and params.get("loss", "cross_entropy") == "cross_entropy"
    if weights is None or targets.is_floating_point() or not by_class:
        return float(len(targets))
    return weights[targets].sum()


def _inverse(counts: Tensor) -> Tensor:
    return 1 / counts


def _effective(counts: Tensor) -> Tensor:
    return (1 - EFFECTIVE_BETA) / (1 - EFFECTIVE_BETA**counts)


CLASS_WEIGHTS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "none": None,
    "inverse": _inverse,
    "effective": _effective,
}


def class_weights(rule: str, labels: "np.ndarray[Any, Any]", num_classes: int) -> Tensor | None:
    """Return a weight per class (float32, classes) from the training labels; their mean over the images is 1.

    A class without images has weight 0.

    Raises:
        UnknownName: there is no such rule.
    """
    weigh = lookup("class_weights", rule, CLASS_WEIGHTS)
    if weigh is None:
        return None
    counts = torch.from_numpy(np.bincount(labels, minlength=num_classes)).double()
    weights = torch.where(counts > 0, weigh(counts.clamp_min(1)), 0.0)
    return (weights * counts.sum() / (weights * counts).sum()).float()
