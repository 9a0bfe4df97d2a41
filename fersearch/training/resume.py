"""The progress of a trial, and the snapshots from which it resumes."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from fersearch.components import Evaluation, Task
from fersearch.training import measure
from fersearch.training.batches import Pixels
from fersearch.training.evaluate import Validation
from fersearch.training.latency import Stopwatch
from fersearch.training.snapshots import States
from fersearch.training.stamp import Unusable
from fersearch.training.trainer import Trainer
from fersearch.trial import Epoch

FREE_SAVE_SECONDS = 1.5
"""Seconds that saving may take; where it takes longer, it is done proportionally less often."""
FIRST_SAVE_SECONDS = 1.0
"""Seconds of training after which an attempt saves its first state, so that even a short attempt makes progress."""


@dataclass
class Progress:
    """The progress of a trial so far, including its earlier attempts.

    `best_loss` is the first objective, negated if it is maximised; `bytes_seen` is the sum of `looks` samples of the
    memory in use; `history` holds every epoch so far as plain data. `begun_seconds` and `begun_cpu_seconds` are those
    of an unfinished epoch. `timed` describes the measurement of the latency, if trials are compared by it. `since` is
    the number of the attempt that trained from the beginning: epochs that attempts before it recorded belong to a
    training that was discarded.
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
    timed: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    begun_seconds: float = 0.0
    begun_cpu_seconds: float = 0.0
    since: int = 1

    @property
    def within(self) -> bool:
        """Whether the trial is inside an unfinished epoch."""
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
        """Return a clock that continues from the trial's seconds so far."""
        return measure.Clock(device, self.seconds + self.begun_seconds, self.cpu_seconds + self.begun_cpu_seconds)

    def unreported(self, recorded: int | None) -> Iterator[Epoch]:
        """Yield the epochs after the first `recorded` ones; none where `recorded` is None."""
        for record in self.history[len(self.history) if recorded is None else recorded :]:
            yield Epoch.from_json(record)

    def update_best(self, number: int, loss: float) -> None:
        """Update the best epoch by the loss of an epoch; of equal epochs the first is the best."""
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = number, loss

    def stalled(self, patience: int) -> bool:
        """Return whether `patience` epochs have passed without a better one; never for 0."""
        return patience > 0 and self.epoch - self.best_epoch >= patience

    def add(self, number: int, clock: measure.Clock, memory: measure.PeakMemory) -> tuple[float, float]:
        """Add an epoch; return its own wall and CPU seconds."""
        self.pause(clock, memory)
        spent = self.begun_seconds, self.begun_cpu_seconds
        self.epoch, self.seconds, self.cpu_seconds = number, clock.seconds, clock.cpu_seconds
        self.begun_seconds = self.begun_cpu_seconds = 0.0
        return spent

    def pause(self, clock: measure.Clock, memory: measure.PeakMemory) -> None:
        """Add the time and memory of the unfinished epoch so far."""
        self.begun_seconds = clock.seconds - self.seconds
        self.begun_cpu_seconds = clock.cpu_seconds - self.cpu_seconds
        self.peak_bytes = max(self.peak_bytes, memory.peak)
        self.bytes_seen, self.looks = self.bytes_seen + memory.total, self.looks + memory.looks
        memory.total = memory.looks = 0

    def measure_latency(self, stopwatch: Stopwatch, model: nn.Module, pixels: Pixels) -> float:
        """Return the seconds of one image through a model, and store the facts of the measurement."""
        seconds = stopwatch(model, pixels)
        self.timed = dict(stopwatch.facts)
        return seconds

    def evaluation(
        self,
        validation: Validation,
        task: Task,
        figures: Mapping[str, int],
        latency: Callable[[], float],
    ) -> Evaluation:
        """Return the evaluation of this epoch for the metrics; the latency is measured once per trial."""
        if not self.latency:
            self.latency = latency()
        return Evaluation(
            validation.probabilities,
            validation.labels,
            task.class_names,
            train_seconds=self.seconds,
            cpu_seconds=self.cpu_seconds,
            eval_seconds=validation.seconds,
            peak_memory_bytes=self.peak_bytes,
            mean_memory_bytes=max(0, round(self.bytes_seen / max(1, self.looks))),
            parameters=figures["parameters"],
            model_bytes=figures["model_bytes"],
            flops=figures["flops"],
            latency_seconds=self.latency,
        )


@dataclass
class Snapshots:
    """The stored best weights and snapshots of a training.

    A snapshot is due first after a second of training, then every `save_every` seconds, or less often where saving
    itself takes long; `on_snapshot` is called after each.
    """

    states: States
    trainer: Trainer
    progress: Progress
    save_every: float = 30.0
    saved_at: float = 0.0
    cost: float = 0.0
    on_snapshot: Callable[[], None] = lambda: None

    def resume(self) -> None:
        """Load the last state, if there is one.

        Raises:
            Unusable: it cannot be resumed from, or the best weights that it refers to are lost.
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
        """Store this epoch's weights if it is the best so far, and take a snapshot if one is due."""
        self.progress.history.append(epoch.to_json())
        if self.progress.best_epoch == epoch.number:
            self.states.save_best(epoch.number, self.trainer.saved_module)
        if self.due(self.progress.seconds):
            self.snapshot()

    def due(self, passed: float) -> bool:
        """Return whether a snapshot is due after `passed` seconds of training."""
        since = passed - self.saved_at
        if self.cost == 0.0 and since > FIRST_SAVE_SECONDS:
            return True
        return since >= self.save_every * max(1.0, self.cost / FREE_SAVE_SECONDS)

    def snapshot(self) -> None:
        """Save the state of the training and of its progress."""
        started = time.perf_counter()
        self.states.save_last(
            {"progress": asdict(self.progress), **self.trainer.state_dict()}, self.progress.best_epoch
        )
        self.on_snapshot()
        self.saved_at = self.progress.seconds + self.progress.begun_seconds
        self.cost = time.perf_counter() - started
