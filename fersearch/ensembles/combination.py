"""Combines the predictions of an ensemble's members, and fits weights and stackers.

Arrays of members' answers are class shares (float, members x n x classes) on the same n images.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

METHODS = ("mean", "vote", "weighted", "stacking")
NOTHING = 1e-3  # a fitted weight below this is none
LEAST = 1e-6  # the least share whose logarithm is taken
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Stacker:
    """A multinomial logistic regression from the logarithms of the members' shares to the classes.

    `coefficients` (float64, known classes x members * classes), `intercepts` (float64, known
    classes). `known` (int64) are the indices of the classes that it was fitted on; any other class
    has a share of 0. Source: stacked generalization, Wolpert 1992 (doi:10.1016/S0893-6080(05)80023-1).
    """

    coefficients: Array
    intercepts: Array
    known: Array

    @classmethod
    def fit(cls, answers: Array, labels: Array) -> "Stacker":
        """Fit on images with labels (int64, n)."""
        from sklearn.linear_model import LogisticRegression

        if len(known := np.unique(labels)) == 1:
            return cls(np.zeros((1, answers.shape[0] * answers.shape[2])), np.zeros(1), known)
        model = LogisticRegression(max_iter=2000).fit(_features(answers), labels)
        coefficients, intercepts = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # one row then, for the second class against the first
            coefficients = np.concatenate([np.zeros_like(coefficients), coefficients])
            intercepts = np.concatenate([np.zeros_like(intercepts), intercepts])
        return cls(coefficients, intercepts, np.asarray(model.classes_, dtype=np.int64))

    def shares(self, answers: Array) -> Array:
        """Return class shares (float32, n x classes)."""
        scores = _features(answers) @ self.coefficients.T + self.intercepts
        scores = np.exp(scores - scores.max(1, keepdims=True))
        shares = np.zeros(answers.shape[1:], dtype=np.float32)
        shares[:, self.known] = scores / scores.sum(1, keepdims=True)
        return shares


@dataclass(frozen=True)
class Combination:
    """One of `METHODS`, with a weight for each member, and the stacker where the method needs one."""

    method: str
    weights: tuple[float, ...]
    stacker: Stacker | None = None

    @classmethod
    def fit(cls, method: str, counts: Sequence[int], answers: Array, labels: Array) -> "Combination":
        """Fit a method on images with labels (int64, n); `counts` says how often each member was chosen.

        The counts weigh the members under `mean` and `vote`; `weighted` fits weights, `stacking` a stacker.
        """
        if method == "weighted":
            return cls(method, tuple(mixture_weights(answers, labels).tolist()))
        return cls(method, tuple(map(float, counts)), Stacker.fit(answers, labels) if method == "stacking" else None)

    def shares(self, answers: Array) -> Array:
        """Return the ensemble's class shares (float32, n x classes).

        Under `vote` they are the shares of the votes, where the mean of the members counts as half a
        vote, which only decides ties.
        """
        if self.stacker is not None:
            return self.stacker.shares(answers)
        total = sum(self.weights)
        mean: Array = np.einsum("m,mnc->nc", np.array(self.weights), answers.astype(np.float64)) / total
        if self.method != "vote":
            return _single(mean)
        votes = np.zeros_like(mean)
        for weight, called in zip(self.weights, answers.argmax(2), strict=True):
            votes[np.arange(len(called)), called] += weight
        return _single((votes + mean / 2) / (total + 0.5))


def mixture_weights(answers: Array, labels: Array, rounds: int = 500, tolerance: float = 1e-9) -> Array:
    """Return the weights (float64, one a member, sum 1) of the mean with the least log loss on images with labels.

    A weight below a thousandth becomes 0. The loss is convex, and each round lowers it: expectation
    maximisation of a mixture's weights, Dempster et al. 1977 (doi:10.1111/j.2517-6161.1977.tb01600.x).
    """
    right = np.maximum(answers[:, np.arange(len(labels)), labels].astype(np.float64), LEAST)
    weights = np.full(len(right), 1 / len(right))
    for _ in range(rounds):
        before = weights
        parts = before[:, None] * right
        weights = (parts / parts.sum(0)).mean(1)
        if np.abs(weights - before).max() < tolerance:
            break
    weights[weights < NOTHING] = 0.0
    normalised: Array = weights / weights.sum()
    return normalised


def folds(labels: Array, count: int, seed: int = 0) -> Array:
    """Return the fold (int64, n, below `count`) of each image, drawn so that every class is spread evenly over the
    folds."""
    drawn = np.random.default_rng(seed).permutation(len(labels))
    by_class = drawn[np.argsort(labels[drawn], kind="stable")]
    fold_of = np.empty(len(labels), dtype=np.int64)
    fold_of[by_class] = np.arange(len(labels)) % count
    return fold_of


def _single(shares: Array) -> Array:
    single: Array = shares.astype(np.float32)
    return single


def _features(answers: Array) -> Array:
    logs = np.log(np.maximum(answers.astype(np.float64), LEAST))
    features: Array = logs.transpose(1, 0, 2).reshape(logs.shape[1], -1)
    return features
