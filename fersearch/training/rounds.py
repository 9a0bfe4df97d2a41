"""The rounds of a trial: one training for each fold of each repeat, told as one row of epochs."""

import json
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fersearch.files import write_atomic
from fersearch.training.progress import Progress
from fersearch.training.seeds import derive
from fersearch.training.states import States
from fersearch.trial import Decision, Epoch

Epochs = Generator[Epoch, Decision | None, None]
DONE = "done.json"


@dataclass(frozen=True)
class Round:
    """One training: its states in `folder`, `before` epochs in earlier rounds, `progress` its own epochs.

    `over` says that it was trained to its end before.
    """

    number: int
    folder: Path
    before: int
    progress: Progress
    over: bool = False

    @property
    def kept_epoch(self) -> int:
        """The number of its best epoch among all of the trial's."""
        return self.before + self.progress.best_epoch

    def retold(self, recorded: int) -> Epochs:
        """Its epochs after the trial's first `recorded` ones, which were trained and never heard."""
        for epoch in self.progress.unheard(max(0, recorded - self.before)):
            if (yield epoch) is Decision.INTERRUPT:
                return

    def numbered(self, epochs: Epochs) -> Epochs:
        """Its own epochs as epochs of the trial; decisions go the other way."""
        decision = None
        while True:
            try:
                epoch = epochs.send(decision)
            except StopIteration:
                return
            decision = yield replace(epoch, number=self.before + epoch.number, round=self.number)


class Rounds:
    """The rounds of one trial in its scratch folder; a trial with one round has no folders in it."""

    def __init__(self, scratch: Path, total: int) -> None:
        self.total = total
        self._scratch = scratch
        self._opened: list[Round] = []

    def __iter__(self) -> Iterator[Round]:
        for number in range(1, self.total + 1):
            self._opened.append(self._open(number))
            yield self._opened[-1]

    @property
    def current(self) -> Round:
        """The round under way."""
        return self._opened[-1]

    @property
    def best(self) -> Round:
        """The round with the best epoch so far, the earliest of equals."""
        return min(self._opened, key=lambda round: (round.progress.best_loss, round.number))

    @property
    def peak_bytes(self) -> int:
        """The highest memory of all rounds so far."""
        return max((round.progress.peak_bytes for round in self._opened), default=0)

    def finish(self, round: Round) -> None:
        """Keep what a round gave, and of all rounds only the best weights."""
        if self.total == 1 or round.over:
            return
        write_atomic(round.folder / DONE, json.dumps(asdict(round.progress)).encode())
        for other in self._opened:
            States(other.folder).clear(keep=other.progress.best_epoch if other is self.best else None)

    def _open(self, number: int) -> Round:
        folder = self._scratch / f"round-{number}" if self.total > 1 else self._scratch
        before = sum(round.progress.epoch for round in self._opened)
        try:
            known = json.loads((folder / DONE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            return Round(number, folder, before, Progress())
        return Round(number, folder, before, Progress(**known), over=True)


def seed_of(seed: int, round: int) -> int:
    """The seed of a round; the first has the study's own."""
    return seed if round == 1 else derive(seed, "round", round)
