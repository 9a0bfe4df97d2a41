"""The rounds of a trial: one training for each fold of each repeat, reported as one sequence of epochs."""

import json
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from torch import Tensor

from fersearch.files import write_atomic
from fersearch.training.numerics import derive
from fersearch.training.resume import Progress
from fersearch.training.snapshots import States
from fersearch.training.stamp import Stamp, Unusable, check_stamp
from fersearch.trial import Decision, Epoch

Epochs = Generator[Epoch, Decision | None, None]
DONE, LAST = "done.json", "last.pt"


@dataclass(frozen=True)
class Round:
    """One training: its states in `folder`, `before` epochs in earlier rounds, `progress` its own epochs.

    `over`: whether an earlier attempt finished it.
    """

    number: int
    folder: Path
    before: int
    progress: Progress
    over: bool = False

    @property
    def kept_epoch(self) -> int:
        """The number of its best epoch, counted over all rounds of the trial."""
        return self.before + self.progress.best_epoch

    def unreported(self, recorded: int) -> Epochs:
        """Yield its epochs after the first `recorded` ones: they were trained and never reported."""
        for epoch in self.progress.unreported(recorded):
            if (yield epoch) is Decision.INTERRUPT:
                return

    def numbered(self, epochs: Epochs) -> Epochs:
        """Yield the round's epochs renumbered as epochs of the trial; pass decisions back."""
        decision = None
        while True:
            try:
                epoch = epochs.send(decision)
            except StopIteration:
                return
            decision = yield replace(epoch, number=self.before + epoch.number, round=self.number)


class Rounds:
    """The rounds of one trial in its scratch folder; a trial of several rounds has a subfolder for each.

    Stored states carry the trial's `stamp`; `attempt` is the number of the attempt that starts new rounds.
    """

    def __init__(self, scratch: Path, total: int, stamp: Stamp | None = None, attempt: int = 1) -> None:
        self.total = total
        self.stamp = dict(stamp or {})
        self._scratch = scratch
        self._attempt = attempt
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

    @property
    def begun(self) -> bool:
        """Whether any stored state of the trial can be resumed from."""
        return any(any(self._folder(number).glob(name)) for number in range(1, self.total + 1) for name in (DONE, LAST))

    def check(self) -> None:
        """Raise Unusable unless the states of finished rounds and their best weights can be read."""
        finished = ((number, self._done(number)) for number in range(1, self.total + 1))
        over = [(done.best_loss, number, done.best_epoch) for number, done in finished if done is not None]
        if over:
            _, number, epoch = min(over)
            States(self._folder(number), self.stamp).best(epoch)

    def weights(self) -> dict[str, Tensor]:
        """Return the best weights of all rounds; Unusable if they are lost."""
        return States(self.best.folder, self.stamp).best(self.best.progress.best_epoch)

    def finish(self, round: Round) -> None:
        """Store the progress of a finished round, and of all rounds only the best weights."""
        if self.total == 1 or round.over:
            return
        record = {**asdict(round.progress), "stamp": self.stamp}
        write_atomic(round.folder / DONE, json.dumps(record).encode())
        for other in self._opened:
            States(other.folder).clear(keep=other.progress.best_epoch if other is self.best else None)

    def _open(self, number: int) -> Round:
        folder, progress = self._folder(number), self._done(number)
        before = sum(round.progress.epoch for round in self._opened)
        if progress is not None:
            return Round(number, folder, before, progress, over=True)
        folder.mkdir(parents=True, exist_ok=True)
        return Round(number, folder, before, Progress(since=self._attempt))

    def _folder(self, number: int) -> Path:
        return self._scratch / f"round-{number}" if self.total > 1 else self._scratch

    def _done(self, number: int) -> Progress | None:
        """Return the progress of a finished round; None if it is unfinished, Unusable if its file cannot be read."""
        path = self._folder(number) / DONE
        try:
            known = json.loads(path.read_bytes())
            stamp = known.pop("stamp", None)
            progress = Progress(**known)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, AttributeError) as error:
            raise Unusable(f"{path} is damaged") from error
        check_stamp(stamp, self.stamp, str(path))
        return progress


def seed_of(seed: int, round: int) -> int:
    """Return the seed of a round; the first has the study's own."""
    return seed if round == 1 else derive(seed, "round", round)
