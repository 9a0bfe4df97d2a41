"""Checks an exported model before it is kept: equal predictions, or an equal score."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fersearch.errors import FersearchError

Array = np.ndarray[Any, Any]
LARGEST_DIFFERENCE = 1e-4


@dataclass(frozen=True)
class Parity:
    """How far the predictions of an exported model are from the original model's.

    `left_out` images were not compared, because rounding could change what a member of an ensemble votes for.
    """

    max_difference: float
    n: int
    parity_on: str
    left_out: int = 0


def parity(expected: Array, answers: Array, parity_on: str, left_out: int = 0) -> Parity:
    """Compare class shares (n x classes), from which `left_out` rows were removed before.

    Raises:
        FersearchError: a share differs by more than 1e-4, or an image gets another label although its class
            shares are further apart than that.
    """
    difference = float(np.abs(expected - answers).max())
    if not difference <= LARGEST_DIFFERENCE:
        raise FersearchError(
            f"the exported model predicts differently: probabilities differ by {difference:.2g}, more than "
            f"{LARGEST_DIFFERENCE:g}",
            "the file was discarded; please report this with the architecture's name",
        )
    other = int((expected.argmax(1) != answers.argmax(1))[is_clear(expected)].sum())
    if other:
        raise FersearchError(f"the exported model gives {other} of {len(expected)} images another label")
    return Parity(difference, len(expected), parity_on, left_out)


def is_clear(shares: Array) -> Array:
    """Return for each row of class shares whether differences within the tolerance cannot change its label."""
    if shares.shape[1] < 2:
        return np.full(len(shares), True)
    top = np.sort(shares, axis=1)
    clear: Array = top[:, -1] - top[:, -2] > 2 * LARGEST_DIFFERENCE
    return clear
