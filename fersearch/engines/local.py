"""The engine of one machine: keeps every slot busy with a trial process, and connects these to the search."""

import gc
import math
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from fersearch.engines.contention import Contention
from fersearch.engines.cpu_load import OtherLoad, OtherLoadNote
from fersearch.engines.devices import Slot
from fersearch.engines.formats import suggested_format
from fersearch.engines.outages import Shortage
from fersearch.engines.placement import FixedPlacement, Placement
from fersearch.engines.processes import Pool, Process
from fersearch.engines.quiet import QuietTurns
from fersearch.engines.shutdown import Level, Stop
from fersearch.formatting import brief
from fersearch.observer import Observer
from fersearch.run_options import GRACE
from fersearch.search.brain import Search
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Outcome, Reason, Trial

TICK = 0.1
TRACEBACK = 10_000  # characters of a log that are stored with the attempt
STOPPING = {
    Level.AFTER_EPOCH: "stopping: each trial finishes its epoch and is saved; Ctrl-C again stops now",
    Level.AFTER_STEP: "stopping: each trial saves where it is, within {grace}; Ctrl-C stops now",
}
ALLOCATIONS = 20_000
"""New objects after which the garbage collector visits the young generation; by default 700 or 2,000."""


@dataclass
class _Running:
    trial: Trial
    slot: Slot
    process: Process


@dataclass(frozen=True)
class Callbacks:
    """Functions of a driver that its engine calls.

    `request` returns a trial's request for a slot, `log` the file for its output. `refuse` returns the outcome of a
    trial that need not run. `settle` takes a trial's number and the facts of its rehearsal, and returns the memory
    format to use. `forget` takes each trial that will never run again, to remove its states. `watch` is called often,
    between two messages.
    """

    request: Callable[[Trial, Slot], TrialRequest]
    log: Callable[[Trial], Path]
    refuse: Callable[[Trial], Outcome | None] = lambda _: None
    settle: Callable[[int, Mapping[str, Any]], str] = suggested_format
    forget: Callable[[Trial], None] = lambda _: None
    watch: Callable[[], None] = lambda: None


class LocalEngine:
    """The engine that runs trials until the search has no more, the time is up, or a stop is requested.

    A trial for which `slots` or a full disk have no room yet is held until they have, and the search is not asked for
    another. Preempted trials have `grace` seconds to save their state and exit. `advice` follows the note about other
    processes on the CPU.
    """

    def __init__(
        self,
        search: Search,
        slots: Placement | Sequence[Slot],
        pool: Pool,
        callbacks: Callbacks,
        observer: Observer,
        stop: Stop,
        *,
        seconds: float | None = None,
        grace: float = GRACE,
        advice: str = "",
    ) -> None:
        self.search = search
        self.pool = pool
        self.observer = observer
        self.stop = stop
        self._callbacks = callbacks
        self._placement = FixedPlacement(slots) if isinstance(slots, Sequence) else slots
        self._contention = Contention()
        self._other_load, self._about_load = OtherLoad(), OtherLoadNote(observer.note, advice)
        self._shortage = Shortage(observer.note)
        self._quiet = QuietTurns()
        self._next: Trial | None = None
        self._running: dict[Any, _Running] = {}
        self._applied = Level.NOT
        self._grace = grace
        self._deadline = math.inf if seconds is None else time.monotonic() + seconds
        self._leave_by = math.inf

    def run(self) -> None:
        """Run until no trial is left; on an error every trial process is ended first."""
        try:
            with seldom_collecting():
                self._fill()
                while self._running or self._next:
                    self._turn()
        finally:
            self._placement.close()
            for running in self._running.values():
                running.process.kill()
                running.process.close()

    def _turn(self) -> None:
        if time.monotonic() > self._deadline and not self.stop.level:
            self.observer.note("the time is up: each running trial finishes its epoch and is saved")
            self.stop.ask(Level.AFTER_EPOCH)
        self._apply_stop()
        for connection in wait(list(self._running), TICK):
            self._receive(self._running[connection])
        self._end_hung()
        self._quiet.look()
        self._callbacks.watch()
        self._fill()
        self.observer.tick()

    def _apply_stop(self) -> None:
        """Apply a request to stop, and report it once."""
        level = self.stop.level
        if level > self._applied:
            self._applied = level
            if self.stop.by_signal and level in STOPPING:
                self.observer.note(STOPPING[level].format(grace=brief(self._grace)))
            if self.stop.by_signal:  # not when the time is up, as the next run may be as short
                self._abandon_unstarted(level)
            if level is Level.AFTER_STEP:
                self._leave_by = time.monotonic() + self._grace
                for running in self._running.values():
                    running.process.send({"leave": True})
        everything = list(self._running.values())
        if level is Level.NOW:
            self._abandon(everything, Outcome(Reason.INTERRUPTED, "stopped at once by a second Ctrl-C"))
        elif time.monotonic() > self._leave_by:
            message = f"it had not exited {brief(self._grace)} after the request to stop"
            self._abandon(everything, Outcome(Reason.PREEMPTED, message))

    def _end_hung(self) -> None:
        for running in list(self._running.values()):
            if outcome := running.process.hung():
                self.pool.kill(running.process)
                self._end(running, outcome)

    def _fill(self) -> None:
        if self.stop.level:
            self._return_waiting()
        while not (self.stop.level or self._quiet.busy) and self._placement.open:
            trial = self._next = self._next or self.search.ask()
            if trial is None:
                return
            if outcome := self._callbacks.refuse(trial):
                self._next = None
                self._finish(trial, outcome, 0.0)
                continue
            slot = None if self._shortage.lasts else self._placement.take(trial)
            if slot is None:
                return
            self._next = None
            self._start(trial, slot)

    def _start(self, trial: Trial, slot: Slot) -> None:
        process = self.pool.start(self._callbacks.log(trial), dict(slot.env))
        process.send({"request": self._callbacks.request(trial, slot).to_json()})
        self._running[process.connection] = _Running(trial, slot, process)
        self._quiet.join(trial.number, process.send)
        self.observer.started(trial, slot.number)

    def _return_waiting(self) -> None:
        """Return a trial that never got a slot to the search."""
        if self._next is not None:
            outcome = Outcome(Reason.INTERRUPTED, "stopped while it waited for room")
            self.observer.ended(self.search.finish(self._next.number, outcome, 0.0))
            self._next = None

    def _receive(self, running: _Running) -> None:
        message = running.process.receive()
        if message is None:
            self._end(running, self._outcome_of_dead_process(running))
        elif self._quiet.handle(running.trial.number, message):
            pass
        elif "epoch" in message:
            epoch = Epoch.from_json(message["epoch"])
            decision = self.search.record(running.trial.number, epoch)
            if decision is Decision.CONTINUE and self._applied:
                decision = Decision.INTERRUPT
            running.process.send({"decision": decision})
            self.observer.epoch(running.trial, epoch, decision)
        elif "saved" in message:
            self.search.saved(running.trial.number)
        elif "rehearsed" in message:
            running.process.send({"format": self._callbacks.settle(running.trial.number, message["rehearsed"])})
        elif "outcome" in message:
            self._end(running, Outcome.from_json(message["outcome"]))
        elif "note" in message:
            self.observer.note(f"trial {running.trial.number}: {message['note']}")
        elif "pid" in message:
            self._began(running, message)

    def _began(self, running: _Running, message: Mapping[str, Any]) -> None:
        """Record the process of a trial, its node and the device that it shares."""
        number = running.trial.number
        running.process.pid = message["pid"]
        self._placement.runs(running.slot, message["pid"])
        self._quiet.settle(number, message.get("node", ""))
        self._contention.join(number, message.get("place", running.slot.place))
        if running.slot.device == "cpu" and "node" not in message:  # a node measures its own CPU
            self._other_load.join(number)
        self.search.started(number, message["pid"], message.get("log") or str(running.process.log))

    def _end(self, running: _Running, outcome: Outcome) -> None:
        connection = running.process.connection
        seconds = time.monotonic() - running.process.started
        number = running.trial.number
        self._quiet.leave(number)
        surroundings = {**self._contention.leave(number), **self._other_load.leave(number)}
        outcome = replace(outcome, facts={**outcome.facts, **surroundings})
        self._about_load.look(number, outcome.facts)
        outcome = with_loss(self.stop, outcome)
        self._shortage.record(outcome.facts)
        del self._running[connection]
        running.process.close()
        trial = self._finish(running.trial, outcome, seconds)
        self._placement.give_back(running.slot, trial)

    def _finish(self, trial: Trial, outcome: Outcome, seconds: float) -> Trial:
        ended = self.search.finish(trial.number, outcome, seconds)
        if ended.state.ended:
            self._callbacks.forget(ended)
        self.observer.ended(ended)
        return ended

    def _outcome_of_dead_process(self, running: _Running) -> Outcome:
        status = self.pool.exit_status(running.process)
        preempted = Reason.PREEMPTED if self.stop.level is Level.AFTER_STEP else None
        if status is None and (lost := self.pool.lost(running.process)):
            message = "the process ended without a result, because its fork server or its node was lost"
            return Outcome(preempted or Reason.INTERRUPTED, message, facts={"lost": lost.value})
        reason = preempted or Reason.KILLED
        if status is None:
            return Outcome(reason, "the process ended without a result")
        if status < 0:
            return Outcome(reason, f"the process was killed by {signal.Signals(-status).name}")
        log = running.process.log  # on another node, if that keeps its own logs
        output = log.read_text(errors="replace").strip() if log.exists() else ""
        last = output.splitlines()[-1] if output else "it printed nothing"
        return Outcome(Reason.ERROR, f"the process exited with code {status}: {last}", output[-TRACEBACK:])

    def _abandon_unstarted(self, level: Level) -> None:
        reason = Reason.PREEMPTED if level is Level.AFTER_STEP else Reason.INTERRUPTED
        unstarted = [running for running in self._running.values() if running.process.pid is None]
        self._abandon(unstarted, Outcome(reason, "stopped before it began"))

    def _abandon(self, abandoned: Iterable[_Running], outcome: Outcome) -> None:
        for running in abandoned:
            running.process.kill()
            self._end(running, outcome)


def with_loss(stop: Stop, outcome: Outcome) -> Outcome:
    """Return the outcome; for an interrupted trial with the resource that was lost, if any, among its facts."""
    if outcome.reason is not Reason.INTERRUPTED or not stop.lost:
        return outcome
    return replace(outcome, facts={"lost": stop.lost.value, **outcome.facts})


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Run the garbage collector rarely, and only over new objects, during the block.

    With thousands of epochs in memory it would take a fifth of the driver's time and free next to nothing.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(max(usual[0], ALLOCATIONS) if usual[0] else 0, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
