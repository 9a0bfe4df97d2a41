"""The engine of one machine: keeps every slot busy with a trial process, and carries words to and from the brain."""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from types import FrameType
from typing import Any

from fersearch.engines.devices import Slot
from fersearch.engines.pool import Pool, Process
from fersearch.search.brain import Search
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Outcome, Reason, Trial

TICK = 0.1
TRACEBACK = 10_000  # characters of a log that are kept with the attempt


class Observer:
    """Somebody who watches a study run, here in silence; called from the driver's main thread only."""

    def preparing(self, done: int, total: int) -> None:
        """So many images of the dataset are prepared."""

    def begin(self, study: Any, total: int, ended: Sequence[Trial], slots: int, rounds: int = 1) -> None:
        """A study starts: its budget of trials, those that ended before, the slots, the rounds of a trial."""

    def started(self, trial: Trial, slot: int) -> None:
        """A trial took a slot."""

    def epoch(self, trial: Trial, epoch: Epoch, decision: Decision) -> None:
        """A trial told an epoch and was answered."""

    def ended(self, trial: Trial) -> None:
        """A trial left its slot: ended, or waiting to go on later."""

    def note(self, text: str) -> None:
        """Something a person should know."""

    def tick(self) -> None:
        """Time passed (about ten times a second)."""

    def end(self) -> None:
        """The run is over, however it went."""


class Stop:
    """Asked to stop: 0 not, 1 after the epoch under way, 2 now. Set by Ctrl-C, SIGTERM, or the study's time.

    Whoever asks a third time gets a KeyboardInterrupt, wherever the program is.
    """

    def __init__(self) -> None:
        self.level = 0
        self.by_signal = False

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.level += 1
        self.by_signal = True
        if self.level > 2:
            raise KeyboardInterrupt

    @contextmanager
    def listening(self) -> Iterator["Stop"]:
        """Take Ctrl-C and SIGTERM as requests while a study runs (in the main thread; elsewhere nothing is taken)."""
        previous: dict[int, Any] = {}
        try:
            for caught in (signal.SIGINT, signal.SIGTERM):
                previous[caught] = signal.signal(caught, self._on_signal)
        except ValueError:
            pass
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


@dataclass
class _Running:
    trial: Trial
    slot: Slot
    process: Process


class LocalEngine:
    """Runs trials until the brain has no more, the time is up, or somebody asks to stop.

    `request` makes a trial's request for a slot; `forget` is called with each trial that will
    never run again, to clear what it left.
    """

    def __init__(
        self,
        search: Search,
        slots: Sequence[Slot],
        pool: Pool,
        request: Callable[[Trial, Slot], TrialRequest],
        observer: Observer,
        stop: Stop,
        *,
        seconds: float | None = None,
        forget: Callable[[Trial], None] = lambda _: None,
        log: Callable[[Trial], Path],
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self.search = search
        self.pool = pool
        self.observer = observer
        self.stop = stop
        self._request = request
        self._forget = forget
        self._log = log
        self._watch = watch
        self._free = list(reversed(slots))
        self._running: dict[Any, _Running] = {}
        self._stopping = False
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def run(self) -> None:
        """Run until nothing is left to run; on an error every trial process is ended first."""
        try:
            self._fill()
            while self._running:
                self._turn()
        finally:
            for running in self._running.values():
                running.process.kill()
                running.process.close()

    def _turn(self) -> None:
        if self._deadline is not None and time.monotonic() > self._deadline and not self.stop.level:
            self.observer.note("the time is up: each trial under way finishes its epoch and is saved")
            self.stop.level = 1
        elif self.stop.by_signal and not self._stopping:
            self._stopping = True
            self.observer.note("stopping: each trial finishes its epoch and is saved; Ctrl-C again stops now")
        for connection in wait(list(self._running), TICK):
            self._hear(self._running[connection])
        if self.stop.level >= 2:
            self._abandon()
        self._watch()
        self._fill()
        self.observer.tick()

    def _fill(self) -> None:
        while self._free and not self.stop.level:
            trial = self.search.ask()
            if trial is None:
                return
            slot = self._free.pop()
            process = self.pool.start(self._log(trial), dict(slot.env))
            process.send({"request": self._request(trial, slot).to_json()})
            self._running[process.connection] = _Running(trial, slot, process)
            self.observer.started(trial, slot.number)

    def _hear(self, running: _Running) -> None:
        message = running.process.receive()
        if message is None:
            self._end(running, self._how_it_died(running))
        elif "epoch" in message:
            epoch = Epoch(**message["epoch"])
            decision = self.search.record(running.trial.number, epoch)
            if decision is Decision.CONTINUE and self.stop.level:
                decision = Decision.INTERRUPT
            running.process.send({"decision": decision})
            self.observer.epoch(running.trial, epoch, decision)
        elif "outcome" in message:
            outcome = message["outcome"]
            self._end(running, Outcome(**{**outcome, "reason": Reason(outcome["reason"])}))
        elif "pid" in message:
            running.process.pid = message["pid"]
            self.search.started(running.trial.number, message["pid"], str(running.process.log))

    def _end(self, running: _Running, outcome: Outcome) -> None:
        connection = running.process.connection
        seconds = time.monotonic() - running.process.started
        trial = self.search.finish(running.trial.number, outcome, seconds)
        del self._running[connection]
        running.process.close()
        self._free.append(running.slot)
        if trial.state.ended:
            self._forget(trial)
        self.observer.ended(trial)

    def _how_it_died(self, running: _Running) -> Outcome:
        status = self.pool.exit_status(running.process)
        if status is None:
            return Outcome(Reason.KILLED, "the process ended without a word, as when its fork server is killed")
        if status < 0:
            return Outcome(Reason.KILLED, f"the process was killed by {signal.Signals(-status).name}")
        told = running.process.log.read_text(errors="replace").strip()
        last = told.splitlines()[-1] if told else "it said nothing"
        return Outcome(Reason.ERROR, f"the process left with exit code {status}: {last}", told[-TRACEBACK:])

    def _abandon(self) -> None:
        for running in list(self._running.values()):
            running.process.kill()
            self._end(running, Outcome(Reason.INTERRUPTED, "stopped at once by a second Ctrl-C"))


def run_in_process(
    search: Search, slot: Slot, request: Callable[[Trial, Slot], TrialRequest], observer: Observer
) -> Trial | None:
    """Run one trial in this very process, for a debugger; returns it, None if there is none to run."""
    from fersearch.training.run import run_trial

    trial = search.ask()
    if trial is None:
        return None
    observer.started(trial, slot.number)
    started = time.monotonic()

    def report(epoch: Epoch) -> Decision:
        decision = search.record(trial.number, epoch)
        observer.epoch(trial, epoch, decision)
        return decision

    try:
        outcome = run_trial(request(trial, slot), report)
    except KeyboardInterrupt:
        outcome = Outcome(Reason.INTERRUPTED, "stopped by Ctrl-C")
    ended = search.finish(trial.number, outcome, time.monotonic() - started)
    observer.ended(ended)
    return ended
