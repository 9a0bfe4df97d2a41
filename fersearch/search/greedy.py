"""Choosing the members of an ensemble greedily, with replacement.

Source: Caruana et al. 2004, Ensemble selection from libraries of models (doi:10.1145/1015330.1015432).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Bag = Sequence[int]


@dataclass(frozen=True)
class Step:
    """One model added: its index among the candidates, and the loss of the ensemble with it."""

    candidate: int
    loss: float


def select(
    count: int, size: int, loss: Callable[[Bag], float], allowed: Callable[[Bag], bool] = lambda _: True
) -> list[Step]:
    """Add `size` times the candidate (of `count`) with which the ensemble's loss is least.

    A candidate may be added again, and then counts twice. `loss` is asked for bags of indices in
    the order they were added, `allowed` for the different ones among them, sorted. Fewer steps
    come back only where nothing is allowed. Equal losses go to a candidate that is in already,
    then to the smaller index. The first step is the best single candidate that is allowed.
    """
    able = [index for index in range(count) if allowed([index])]
    steps: list[Step] = []
    for _ in range(size):
        bag = [step.candidate for step in steps]
        free = [index for index in able if index in bag or allowed(sorted({*bag, index}))]
        if not free:
            break
        found, _, chosen = min((loss([*bag, index]), index not in bag, index) for index in free)
        steps.append(Step(chosen, found))
    return steps


def best_length(steps: Sequence[Step]) -> int:
    """After how many steps the loss was least, the fewest of equals."""
    return 1 + min(range(len(steps)), key=lambda index: (steps[index].loss, index))
