"""Progress of a running study: live bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from fersearch import formatting
from fersearch import formatting as durations
from fersearch.cli.parts import Text
from fersearch.observer import Observer
from fersearch.study import Objective, StudySpec
from fersearch.trial import Decision, Epoch, Trial, TrialState, of_data

if TYPE_CHECKING:
    from fersearch.api.results import StudyRow

Clock = Callable[[], float]
REDRAW_SECONDS = 0.25
LOSSES = {"train_loss": "train loss", "valid_loss": "valid loss"}


@dataclass
class Under:
    """A running trial and its last epoch."""

    trial: Trial
    epoch: Epoch | None = None
    rounds: int = 1

    @property
    def planned(self) -> int:
        """Epochs that the trial trains in all rounds, unless it stops early."""
        return int(self.trial.params.get("epochs", 1)) * self.rounds

    @property
    def share(self) -> float:
        """Share of the epochs that are done, 0 to 1."""
        return (self.epoch.number if self.epoch else self.trial.epochs) / max(self.planned, 1)


@dataclass
class Tally:
    """The state of a running study, from the events that its observer received."""

    name: str
    objectives: tuple[Objective, ...]
    total: int
    ended: list[Trial]
    started: float
    seconds: float | None = None
    running: dict[int, Under] = field(default_factory=dict)
    before: int = 0
    rounds: int = 1
    data_digest: str = ""
    spec: StudySpec | None = None
    _best: dict[str, Trial] = field(default_factory=dict)
    _looked: int = 0

    def __post_init__(self) -> None:
        self.before = len(self.ended)

    @property
    def counted(self) -> int:
        """Number of ended trials that count towards the budget."""
        untrained = sum(trial.untrained for trial in self.ended)
        return len(self.ended) - (self.spec.uncounted(untrained) if self.spec else 0)

    def _keeps_bounds(self, trial: Trial) -> bool:
        return self.spec is None or self.spec.keeps_bounds(trial.values)

    def remaining(self, now: float) -> float | None:
        """Return the estimated seconds until the study ends; None while too little has run for an estimate."""
        spent = now - self.started
        under = sum(min(one.share, 1.0) for one in self.running.values())
        done = len(self.ended) - self.before + under
        remaining = (self.total - self.counted - under) * spent / done if done > 0.2 else None
        if self.seconds is None:
            return remaining
        allowed = max(self.seconds - spent, 0.0)
        return allowed if remaining is None else min(remaining, allowed)

    def bests(self) -> list[tuple[str, float, int]]:
        """Return, for each objective, the metric, the best value of complete trials within bounds, and that trial.

        Only trials on the study's current data count.
        """
        new = of_data(self.ended[self._looked :], self.data_digest)
        new = [trial for trial in new if trial.state is TrialState.COMPLETE and self._keeps_bounds(trial)]
        self._looked = len(self.ended)
        for objective in self.objectives:
            known = self._best.get(objective.metric)
            best = formatting.best([known, *new] if known else new, objective)
            if best is not None:
                self._best[objective.metric] = best
        bests = [(o.metric, self._best[o.metric]) for o in self.objectives if o.metric in self._best]
        return [(metric, trial.values[metric], trial.number) for metric, trial in bests]


class Watcher(Observer):
    """An observer that keeps the tally and prints events; subclasses draw the progress."""

    def __init__(self, console: Console, seconds: float | None = None, clock: Clock = time.monotonic) -> None:
        self.console, self.seconds, self.clock = console, seconds, clock
        self.tally: Tally | None = None
        self.verbose = False

    def begin(self, study: "StudyRow", total: int, ended: Sequence[Trial], slots: int, rounds: int = 1) -> None:
        """Say what is about to run."""
        spec, seconds = study.spec, self.seconds
        if seconds is None and spec.budget.timeout is not None:
            seconds = max(spec.budget.timeout - study.seconds, 0.0)
        self.tally = Tally(
            study.name, spec.objectives, total, list(ended), self.clock(), seconds, rounds=rounds,
            data_digest=study.data_digest, spec=spec,
        )  # fmt: skip
        so_far = f", {len(ended)} ended before" if ended else ""
        limit = f", at most {durations.brief(seconds)}" if seconds is not None else ""
        each = f", each trained {rounds} times" if rounds > 1 else ""
        self.say(
            f"study {study.name}: {formatting.listed(spec.architectures)} on {spec.dataset}, "
            f"{formatting.plural(total, 'trial')}{so_far}, {slots} at once{limit}{each}"
        )

    def started(self, trial: Trial, slot: int) -> None:  # noqa: ARG002
        """Add the trial to the running ones."""
        if self.tally:
            self.tally.running[trial.number] = Under(trial, rounds=self.tally.rounds)

    def epoch(self, trial: Trial, epoch: Epoch, decision: Decision) -> None:
        """Record the trial's last epoch; print it if `verbose`."""
        if self.tally and trial.number in self.tally.running:
            self.tally.running[trial.number].epoch = epoch
            if self.verbose:
                self.say(passing(self.tally.running[trial.number], self.tally, decision))

    def ended(self, trial: Trial) -> None:
        """Remove the trial from the running ones and print how it ended."""
        if self.tally:
            self.tally.running.pop(trial.number, None)
            if trial.state.ended:
                self.tally.ended.append(trial)
            self.say(ending(trial, self.tally))

    def note(self, text: str) -> None:
        """Print a note of the driver."""
        self.say(f"note: {text}")

    def say(self, line: str) -> None:
        """Print one line; a closed output does not stop the study."""
        try:
            self.console.print(Text(line), soft_wrap=True)
        except BrokenPipeError:
            self.console.quiet = True


class Lines(Watcher):
    """Prints one line per ended trial, for logs and pipes."""

    def __init__(self, console: Console, seconds: float | None = None, clock: Clock = time.monotonic) -> None:
        super().__init__(console, seconds, clock)
        self._preparing = False

    def preparing(self, done: int, total: int) -> None:
        """Print a line at the start and at the end."""
        if not self._preparing:
            self._preparing = True
            self.say(f"preparing {total:,} images")
        elif done == total:
            self.say(f"prepared {total:,} images")


class Bars(Watcher):
    """Draws a bar per running trial, redrawn in place."""

    def __init__(self, console: Console, seconds: float | None = None, clock: Clock = time.monotonic) -> None:
        super().__init__(console, seconds, clock)
        # No refresh thread: the driver forks and counts its threads.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._drawn = 0.0

    def preparing(self, done: int, total: int) -> None:
        """Show a bar."""
        self._draw(preparing(done, total), force=done == total)

    def answering(self, done: int, total: int) -> None:
        """Show a bar."""
        self._draw(preparing(done, total, "looking at"), force=done == total)

    def begin(self, study: "StudyRow", total: int, ended: Sequence[Trial], slots: int, rounds: int = 1) -> None:
        """Say what is about to run, and start drawing."""
        self.end()
        super().begin(study, total, ended, slots, rounds)
        self.tick()

    def tick(self) -> None:
        """Redraw, at most every `REDRAW_SECONDS`."""
        if self.tally:
            self._draw(board(self.tally, self.clock()))

    def end(self) -> None:
        """Clear the bars; the lines above them stay."""
        self._live.stop()

    def _draw(self, picture: RenderableType, force: bool = False) -> None:
        now = self.clock()
        if not force and self._live.is_started and now - self._drawn < REDRAW_SECONDS:
            return
        self._drawn = now
        if not self._live.is_started:
            self._live.start()
        self._live.update(picture, refresh=True)


def watcher(console: Console, seconds: float | None = None, verbose: bool = False) -> Watcher:
    """Return `Bars` for a terminal, else `Lines`; with `verbose` they also print every epoch of every trial."""
    chosen = Bars(console, seconds) if console.is_terminal else Lines(console, seconds)
    chosen.verbose = verbose
    return chosen


@contextmanager
def preparation(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback (done, total) that shows how many images of a dataset are prepared."""
    bars = watcher(console)
    try:
        yield bars.preparing
    finally:
        bars.end()


@contextmanager
def answering(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Yield a callback (done, total) that shows how many images a model has predicted; silent without a terminal."""
    if not console.is_terminal:
        yield lambda done, total: None  # noqa: ARG005
        return
    bars = Bars(console)
    try:
        yield bars.answering
    finally:
        bars.end()


def preparing(done: int, total: int, doing: str = "preparing") -> RenderableType:
    """Return a progress bar that counts images."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_row(Text(doing), ProgressBar(max(total, 1), done, width=40), Text(f"{done:,}/{total:,} images"))
    return grid


def board(tally: Tally, now: float) -> RenderableType:
    """Return a running study's overview: trials done, time left, a bar per running trial, the best values."""
    remaining = tally.remaining(now)
    about = f", about {durations.brief(remaining)} left" if remaining is not None else ""
    head = f"{tally.counted}/{formatting.plural(tally.total, 'trial')}, {durations.brief(now - tally.started)}{about}"
    grid = Table.grid(padding=(0, 2, 0, 0))
    for number, under in sorted(tally.running.items()):
        done = under.epoch.number if under.epoch else under.trial.epochs
        bar = ProgressBar(under.planned, done, width=24)
        epochs = Text(f"{done}/{formatting.plural(under.planned, 'epoch')}")
        grid.add_row(Text(f"  trial {number}"), bar, epochs, Text(_first(under, tally.objectives)))
    parts: list[RenderableType] = [Text(head, style="bold"), grid]
    if bests := _bests(tally, with_trial=True):
        parts.append(Text(f"  best so far: {bests}", style="green"))
    return Group(*parts)


def passing(under: Under, tally: Tally, decision: Decision) -> str:
    """Return the last epoch of a trial in one line: the first objective, both losses, its duration."""
    epoch = under.epoch
    assert epoch is not None
    place = f"round {epoch.round}/{under.rounds}, " if under.rounds > 1 else ""
    named = {tally.objectives[0].metric: tally.objectives[0].metric, **LOSSES}
    parts = [f"{name} {formatting.number(epoch.values[key])}" for key, name in named.items() if key in epoch.values]
    ends = {Decision.STOP: "; stops here", Decision.INTERRUPT: "; saved, to be resumed later"}.get(decision, "")
    parts.append(durations.brief(epoch.seconds))
    return f"trial {under.trial.number} {place}epoch {epoch.number}/{under.planned}: {', '.join(parts)}{ends}"


def ending(trial: Trial, tally: Tally) -> str:
    """Return how a trial ended, in one line."""
    last = trial.attempts[-1] if trial.attempts else None
    values = ", ".join(
        f"{o.metric} {formatting.number(trial.values[o.metric])}" for o in tally.objectives if o.metric in trial.values
    )
    if trial.state is TrialState.COMPLETE:
        what = f"complete: {values}"
    elif trial.state is TrialState.PRUNED:
        what = f"pruned after {formatting.plural(trial.epochs, 'epoch')}: {values}"
    else:
        message = f": {last.message}" if last and last.message else ""
        again = ", waiting to resume" if trial.state is TrialState.WAITING else ""
        what = f"{trial.state.value if not again else trial.reason}{again or _why(trial)}{message}"
    bests = _bests(tally, only_first=True)
    return f"trial {trial.number} {what} ({tally.counted}/{tally.total}{f'; best {bests}' if bests else ''})"


def _why(trial: Trial) -> str:
    return f" ({trial.reason})" if trial.reason and str(trial.reason) != str(trial.state) else ""


def _first(under: Under, objectives: Sequence[Objective]) -> str:
    name = objectives[0].metric
    value = under.epoch.values.get(name) if under.epoch else None
    return f"{name} {formatting.number(value)}" if value is not None else "starting"


def _bests(tally: Tally, *, with_trial: bool = False, only_first: bool = False) -> str:
    bests = tally.bests()[: 1 if only_first else None]
    return ", ".join(
        f"{metric} {formatting.number(value)}{f' (trial {number})' if with_trial else ''}"
        for metric, value, number in bests
    )
