"""How far a trial has come, and what of it is kept."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from fersearch.components import Evaluation, Task
from fersearch.training import measure
from fersearch.training.evaluate import Validation
from fersearch.training.snapshots import States
from fersearch.training.stamp import Unusable
from fersearch.training.trainer import Trainer
from fersearch.trial import Epoch

CHEAP = 1.5  # seconds that saving may take; where it takes longer, it is done as much less often
SOON = 1.0  # seconds of training after which an attempt saves its first state, so that even a short one gets further


@dataclass
class Progress:
    """What a trial has done so far, its earlier attempts included.

    `best_loss` is the first objective as something to minimise; `bytes_seen` of memory were in use in all
    `looks` together; `history` holds every epoch so far as plain data. `begun_seconds` and
    `begun_cpu_seconds` are those of an epoch that is not over. `since` is the number of the attempt that began from
    nothing: what attempts before it recorded belongs to a training that was given up.
    """

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    bytes_seen: int = 0
    looks: int = 0
    latency: float = 0.0
    flops: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    begun_seconds: float = 0.0
    begun_cpu_seconds: float = 0.0
    since: int = 1

    @property
    def within(self) -> bool:
        """Whether the trial stands between two steps of an epoch."""
        return self.begun_seconds > 0

    @property
    def values(self) -> dict[str, float]:
        """The metrics of the last epoch."""
        return dict(self.history[-1]["values"]) if self.history else {}

    @property
    def best_values(self) -> dict[str, float]:
        """The metrics of the best epoch."""
        return dict(self.history[self.best_epoch - 1]["values"]) if self.best_epoch else {}

    def clock(self, device: torch.device) -> measure.Clock:
        """Return a clock that goes on from what the trial has taken so far."""
        return measure.Clock(device, self.seconds + self.begun_seconds, self.cpu_seconds + self.begun_cpu_seconds)

    def unreported(self, recorded: int | None) -> Iterator[Epoch]:
        """Yield the epochs after the first `recorded` ones; none if nobody says how many were recorded."""
        for record in self.history[len(self.history) if recorded is None else recorded :]:
            yield Epoch(**record)

    def rate(self, number: int, loss: float) -> None:
        """Take in how good an epoch is; the first of equals is the best."""
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = number, loss

    def stalled(self, patience: int) -> bool:
        """Return whether so many epochs (0: any number) have passed without a better one."""
        return patience > 0 and self.epoch - self.best_epoch >= patience

    def add(self, number: int, clock: measure.Clock, memory: measure.PeakMemory) -> tuple[float, float]:
        """Count an epoch; returns its own wall and CPU seconds."""
        self.pause(clock, memory)
        spent = self.begun_seconds, self.begun_cpu_seconds
        self.epoch, self.seconds, self.cpu_seconds = number, clock.seconds, clock.cpu_seconds
        self.begun_seconds = self.begun_cpu_seconds = 0.0
        return spent

    def pause(self, clock: measure.Clock, memory: measure.PeakMemory) -> None:
        """Count what the epoch under way has taken so far."""
        self.begun_seconds = clock.seconds - self.seconds
        self.begun_cpu_seconds = clock.cpu_seconds - self.cpu_seconds
        self.peak_bytes = max(self.peak_bytes, memory.peak)
        self.bytes_seen, self.looks = self.bytes_seen + memory.total, self.looks + memory.looks
        memory.total = memory.looks = 0

    def evaluation(
        self,
        judged: Validation,
        task: Task,
        model: nn.Module,
        latency: Callable[[], float],
        flops: Callable[[], int],
    ) -> Evaluation:
        """Return what the metrics may look at after this epoch; latency and operations are measured once a trial."""
        if not self.latency:
            self.latency = latency()
        if not self.flops:
            self.flops = flops()
        return Evaluation(
            judged.probabilities,
            judged.labels,
            task.class_names,
            train_seconds=self.seconds,
            cpu_seconds=self.cpu_seconds,
            eval_seconds=judged.seconds,
            peak_memory_bytes=self.peak_bytes,
            mean_memory_bytes=max(0, round(self.bytes_seen / max(1, self.looks))),
            parameters=measure.parameters(model),
            model_bytes=measure.model_bytes(model),
            flops=self.flops,
            latency_seconds=self.latency,
        )


@dataclass
class Snapshots:
    """Keeps the best weights, and from time to time a snapshot of all that is needed to resume.

    That is due for the first time after a second of training, then after `save_every` seconds, or later where saving
    itself takes long; `on_snapshot` is called each time.
    """

    states: States
    trainer: Trainer
    progress: Progress
    save_every: float = 30.0
    saved_at: float = 0.0
    cost: float = 0.0
    on_snapshot: Callable[[], None] = lambda: None

    def resume(self) -> None:
        """Resume from the last state, if there is one.

        Raises:
            Unusable: it cannot be gone on from, or the best weights that it speaks of are lost.
        """
        state = self.states.last()
        if state is not None:
            if epoch := state["progress"]["best_epoch"]:
                self.states.best(epoch)
            try:
                self.trainer.load_state_dict(state)
            except (RuntimeError, ValueError, KeyError) as error:
                raise Unusable(f"{self.states.folder} holds the state of another network") from error
            vars(self.progress).update(state["progress"])
            self.saved_at = self.progress.seconds + self.progress.begun_seconds

    def end_epoch(self, epoch: Epoch) -> None:
        """Keep this epoch's weights if it is the best yet, and take a snapshot if it is time."""
        self.progress.history.append(asdict(epoch))
        if self.progress.best_epoch == epoch.number:
            self.states.save_best(epoch.number, self.trainer.saved_module)
        if self.due(self.progress.seconds):
            self.snapshot()

    def due(self, passed: float) -> bool:
        """Return whether it is time to save the state, after so many seconds of training."""
        since = passed - self.saved_at
        return (self.cost == 0.0 and since > SOON) or since >= self.save_every * max(1.0, self.cost / CHEAP)

    def snapshot(self) -> None:
        """Save all that is needed to resume."""
        started = time.perf_counter()
        self.states.save_last(
            {"progress": asdict(self.progress), **self.trainer.state_dict()}, self.progress.best_epoch
        )
        self.on_snapshot()
        self.saved_at = self.progress.seconds + self.progress.begun_seconds
        self.cost = time.perf_counter() - started
