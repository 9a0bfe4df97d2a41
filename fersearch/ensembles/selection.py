"""Choose the members of an ensemble greedily with replacement, fit their combination, and evaluate it on other images.

Arrays of answers are class shares (float, candidates x n x classes) on the same n images. Source: Caruana et al. 2004,
Ensemble selection from libraries of models (doi:10.1145/1015330.1015432).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fersearch.ensembles.combination import Combination, folds

Array = np.ndarray[Any, Any]
Bag = Sequence[int]


@dataclass(frozen=True)
class Step:
    """One model added: its index among the candidates, and the loss of the ensemble with it."""

    candidate: int
    loss: float


@dataclass(frozen=True)
class Chosen:
    """The steps of a selection, how many of them count, the members (indices of candidates) and their combination."""

    steps: tuple[Step, ...]
    length: int
    members: tuple[int, ...]
    combination: Combination

    def shares(self, answers: Array) -> Array:
        """Return the ensemble's class shares (float32, n x classes), from the answers of all candidates."""
        return self.combination.shares(answers[list(self.members)])


@dataclass(frozen=True)
class Chooser:
    """How an ensemble is chosen: its method, the maximum of steps, the loss, and the constraint on its members.

    `loss` takes class shares (n x classes) and labels (int64, n). `vote` chooses by votes, every
    other method by the mean of the members, and is fitted at the end.
    """

    method: str
    size: int
    loss: Callable[[Array, Array], float]
    allowed: Callable[[Sequence[int]], bool]

    def choose(self, answers: Array, labels: Array) -> Chosen:
        """Return the ensemble chosen and fitted on images with labels; every candidate must be allowed alone."""

        def lost(bag: Sequence[int]) -> float:
            return self.loss(_counted(how, bag, answers), labels)

        how = "vote" if self.method == "vote" else "mean"
        steps = select(len(answers), self.size, lost, self.allowed)
        length = best_length(steps)
        counts = Counter(step.candidate for step in steps[:length])
        combination = Combination.fit(self.method, list(counts.values()), answers[list(counts)], labels)
        positive = [place for place, weight in enumerate(combination.weights) if weight > 0]
        combination = replace(combination, weights=tuple(combination.weights[place] for place in positive))
        members = tuple(list(counts)[place] for place in positive)
        return Chosen(tuple(steps), length, members, combination)

    def judged_apart(self, answers: Array, labels: Array, count: int) -> tuple[Array, Array]:
        """Return class shares (float32, n x classes) by cross-validation.

        The images of each of `count` folds are predicted by the ensemble that is chosen and fitted on the others
        (the first array), and by the single candidate that is best on them (the second).
        """
        ours, alone = (np.zeros(answers.shape[1:], dtype=np.float32) for _ in range(2))
        fold = folds(labels, count)
        for number in range(count):
            in_fold = fold == number
            chosen = self.choose(answers[:, ~in_fold], labels[~in_fold])
            ours[in_fold] = chosen.shares(answers[:, in_fold])
            alone[in_fold] = answers[chosen.steps[0].candidate, in_fold]
        return ours, alone


def _counted(how: str, bag: Sequence[int], answers: Array) -> Array:
    counts = Counter(bag)
    return Combination(how, tuple(map(float, counts.values()))).shares(answers[list(counts)])


def select(
    count: int, size: int, loss: Callable[[Bag], float], allowed: Callable[[Bag], bool] = lambda _: True
) -> list[Step]:
    """Add `size` times the candidate (of `count`) with which the ensemble's loss is least.

    A candidate may be added again, and then counts twice. `loss` is called with multisets of indices in
    the order they were added, `allowed` with the different ones among them, sorted. Fewer steps
    are returned only where nothing is allowed. Equal losses prefer a candidate that is already a member,
    then the smaller index. The first step is the best single candidate that is allowed.
    """
    allowed_ones = [index for index in range(count) if allowed([index])]
    steps: list[Step] = []
    for _ in range(size):
        bag = [step.candidate for step in steps]
        free = [index for index in allowed_ones if index in bag or allowed(sorted({*bag, index}))]
        if not free:
            break
        least, _, chosen = min((loss([*bag, index]), index not in bag, index) for index in free)
        steps.append(Step(chosen, least))
    return steps


def best_length(steps: Sequence[Step]) -> int:
    """Return after how many steps the loss was least, the fewest of equals."""
    return 1 + min(range(len(steps)), key=lambda index: (steps[index].loss, index))
