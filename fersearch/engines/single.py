"""Run of one trial: in this process for a debugger, or again in a fresh process for comparison."""

import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch.artifacts import Artifacts
from fersearch.engines.devices import Slot
from fersearch.engines.formats import suggested_format
from fersearch.engines.local import Callbacks, with_loss
from fersearch.engines.machine import Machine
from fersearch.engines.processes import Pool, Process
from fersearch.engines.quiet import when_alone
from fersearch.engines.shutdown import Level, Stop
from fersearch.errors import FersearchError
from fersearch.observer import Observer
from fersearch.search.brain import Search
from fersearch.training.request import TrialRequest
from fersearch.trial import Decision, Epoch, Outcome, Reason, Trial

if TYPE_CHECKING:
    from fersearch.training.latency import SteadyLatency, Take

SUCCESSFUL = (Reason.DONE, Reason.PRUNED)


@dataclass
class SingleTrial:
    """One training in a process of its own, in a temporary folder."""

    request: TrialRequest
    slot: Slot
    preload: list[str]
    last: int | None
    report: Callable[[Epoch], None] = lambda _: None

    def __post_init__(self) -> None:
        self.epochs: dict[int, Epoch] = {}

    def run(self, take: Callable[[Outcome, Artifacts], None]) -> Outcome:
        """Train to the end and pass the kept checkpoint to `take`; FersearchError if that fails."""
        with tempfile.TemporaryDirectory(prefix="fersearch-rerun-") as folder, closing(Pool(self.preload)) as pool:
            process = pool.start(Path(folder, "log"), dict(self.slot.env))
            try:
                request = replace(self.request, scratch=str(Path(folder, "run")), artifacts=str(Path(folder, "kept")))
                process.send({"request": request.to_json()})
                outcome = self._follow(process)
            finally:
                process.kill()
                process.close()
            if outcome is None:
                raise FersearchError(f"the process of the rerun died: {_last_output(pool, process)}", "try it again")
            if outcome.reason not in SUCCESSFUL:
                raise FersearchError(f"the rerun ended with {outcome.reason.value}: {outcome.message}")
            take(outcome, Artifacts(Path(folder, "kept")))
        return outcome

    def _follow(self, process: Process) -> Outcome | None:
        """Receive every epoch and continue, up to the last recorded one; return None if the process dies."""
        while (message := process.receive()) is not None:
            if "pid" in message:
                process.pid = message["pid"]
            elif "epoch" in message:
                epoch = Epoch.from_json(message["epoch"])
                self.epochs[epoch.number] = epoch
                self.report(epoch)
                decision = Decision.STOP if epoch.number == self.last else Decision.CONTINUE
                process.send({"decision": decision})
            elif when_alone(message, process.send):
                pass
            elif "rehearsed" in message:
                process.send({"format": suggested_format(0, message["rehearsed"])})
            elif "outcome" in message:
                return Outcome.from_json(message["outcome"])
        return None


def _last_output(pool: Pool, process: Process) -> str:
    status = pool.exit_status(process)
    if status is not None and status < 0:
        return f"killed by {signal.Signals(-status).name}"
    output = process.log.read_text(errors="replace").strip() if process.log.exists() else ""
    return output.splitlines()[-1] if output else "it printed nothing"


def run_in_process(
    search: Search,
    slot: Slot,
    callbacks: Callbacks,
    observer: Observer,
    stop: Stop,
) -> Trial | None:
    """Run one trial in this process, for a debugger; return it, or None if there is none to run.

    `callbacks.watch` is called between any two steps; after a request to `stop`, the trial saves its state and ends.
    """
    from fersearch.training.attempt import run_trial

    trial = search.ask()
    if trial is None:
        return None
    observer.started(trial, slot.number)
    started = time.monotonic()

    def report(epoch: Epoch) -> Decision:
        decision = search.record(trial.number, epoch)
        observer.epoch(trial, epoch, decision)
        return decision

    def pulse() -> bool:
        callbacks.watch()
        machine.pulse()
        return stop.level > Level.NOT

    def quiet(take: "Take") -> "SteadyLatency | None":
        with machine.aside():
            return machine.quiet(take)

    try:
        with Machine() as machine:
            outcome = run_trial(
                callbacks.request(trial, slot),
                report,
                pulse=pulse,
                notify=lambda text: observer.note(f"trial {trial.number}: {text}"),
                saved=lambda: search.saved(trial.number),
                settle=partial(callbacks.settle, trial.number),
                quiet=quiet,
            )
    except KeyboardInterrupt:
        outcome = Outcome(Reason.INTERRUPTED, "stopped by Ctrl-C")
    ended = search.finish(trial.number, with_loss(stop, outcome), time.monotonic() - started)
    observer.ended(ended)
    if ended.state.ended:
        callbacks.forget(ended)
    return ended
