"""FER+ target modes: from ten votes an image to the training target.

After Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution" (ICMI 2016), and its published code (microsoft/FERPlus, src/ferplus.py). Votes are rows of ten counts:
the eight emotions, then unknown and not-a-face.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.uint8]
Weights = npt.NDArray[np.float32]
EMOTIONS = 8
MULTI_TARGET_SHARE = 0.3


def select(votes: Counts, target: str) -> Weights:
    """Return the votes that count under a target's rule, float32 (n, 10); a row of zeros for an image to leave out.

    Single votes are outliers and never count. An image is left out when its rule finds no agreement, or when most
    counting votes say unknown or not-a-face; else these two columns become zero.
    """
    rule = RULES[target]
    distinct, place = np.unique(np.asarray(votes), axis=0, return_inverse=True)
    chosen = np.array([rule([v if v > 1 else 0 for v in row]) for row in distinct.tolist()], np.float32)
    return drop_unknown(chosen.reshape(-1, distinct.shape[1]))[place.ravel()]


def drop_unknown(votes: npt.NDArray[np.generic]) -> Weights:
    """Return the votes for emotions, float32; zeros where unknown or not-a-face has the most (the first of equals
    counts)."""
    weights: Weights = np.asarray(votes).astype(np.float32)
    weights[weights.argmax(1) >= EMOTIONS] = 0
    weights[:, EMOTIONS:] = 0
    return weights


def distribution(weights: npt.NDArray[np.generic]) -> Weights:
    """Return rows that sum to 1; a row of zeros stays zero."""
    total = weights.astype(np.float32).sum(1, keepdims=True)
    shares: Weights = np.divide(weights, total, out=np.zeros(weights.shape, np.float32), where=total > 0)
    return shares


def several(weights: npt.NDArray[np.generic]) -> Weights:
    """Return 1 for every class with at least 30 % of a row's votes or with as many as any other, else 0."""
    counts: Weights = weights.astype(np.float32)
    share = counts >= MULTI_TARGET_SHARE * counts.sum(1, keepdims=True)
    most = counts == counts.max(1, keepdims=True)
    return np.asarray((share | most) & (counts > 0), np.float32)


def _majority(row: list[int]) -> list[int]:
    most = max(row)
    if most <= 0.5 * sum(row):
        return [0] * len(row)
    first = row.index(most)
    return [v if k == first else 0 for k, v in enumerate(row)]


def _leading(row: list[int]) -> list[int]:
    """Return the largest votes, equals together, until they hold three quarters of all or are three classes."""
    remaining, leading = list(row), [0] * len(row)
    while sum(leading) < 0.75 * sum(row) and np.count_nonzero(leading) < 3:
        most = max(remaining)
        for k in (k for k, v in enumerate(row) if remaining[k] == v == most):
            if k >= EMOTIONS:
                leading[k] = 0 if any(leading) else most
                return _if_agreed(row, leading)
            leading[k], remaining[k] = most, 0
    return _if_agreed(row, leading)


def _if_agreed(row: list[int], leading: list[int]) -> list[int]:
    agreed = sum(leading) > 0.5 * sum(row) and np.count_nonzero(leading) <= 3
    return leading if agreed else [0] * len(row)


def _several(row: list[int]) -> list[int]:
    votes = [v if v >= MULTI_TARGET_SHARE * sum(row) else 0 for v in row]
    return votes if sum(votes) > 0.5 * sum(row) else [0] * len(row)


RULES: dict[str, Callable[[list[int]], list[int]]] = {
    "majority": _majority,
    "crossentropy": _leading,
    "probability": _leading,
    "multi_target": _several,
    "votes": list,
}
