"""The epochs of unfinished trials that a search holds in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fersearch.search.aggregation import best_epoch
from fersearch.study import Objective
from fersearch.trial import Attempt, Epoch


class History:
    """Recorded epochs by trial and number.

    An attempt that resumes from an earlier epoch overwrites the epochs that a lost attempt recorded from
    there on, so every epoch counts once. Of the confusion matrices only that of the best
    epoch by the `first` objective is held.
    """

    def __init__(self, first: Objective) -> None:
        self._first = first
        self._epochs: dict[int, dict[int, Epoch]] = {}

    def load(self, number: int, epochs: Iterable[Epoch]) -> None:
        """Load the earlier epochs of a trial."""
        for epoch in sorted(epochs, key=lambda epoch: epoch.number):
            self.add(number, epoch)

    def add(self, number: int, epoch: Epoch) -> None:
        """Add an epoch and remove those after it."""
        known = self._epochs.setdefault(number, {})
        for stale in [n for n in known if n > epoch.number]:
            del known[stale]
        known[epoch.number] = epoch
        best = best_epoch(known, self._first)
        for other in [n for n, one in known.items() if one.confusion is not None and n != best]:
            known[other] = replace(known[other], confusion=None)

    def of(self, number: int) -> Mapping[int, Epoch]:
        """Return the trial's epochs by number."""
        return self._epochs.get(number, {})

    def forget(self, number: int) -> None:
        """Remove the epochs of a trial that has ended."""
        self._epochs.pop(number, None)


def reached(attempt: Attempt, epoch: int) -> Attempt:
    """Return the attempt after it has recorded an epoch."""
    return replace(attempt, first_epoch=attempt.first_epoch or epoch, last_epoch=epoch)
