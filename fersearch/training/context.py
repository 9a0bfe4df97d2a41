"""The settings and callbacks of a training, beside its model, data and parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fersearch.components import Metric
from fersearch.study import Objective
from fersearch.training.batches import Pixels
from fersearch.training.latency import Stopwatch
from fersearch.training.measure import ModelFigures, PeakMemory
from fersearch.training.numerics import Precision
from fersearch.training.preemption import Pulse, unwatched
from fersearch.training.resume import Progress
from fersearch.training.stamp import Stamp


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class TrainingContext:
    """Settings and callbacks of a training.

    Attributes:
        objective: the metric that decides which epoch is the best.
        scratch: the folder of snapshots and of the best weights.
        fixed: layers whose statistics stay as they are.
        progress: of the trial, updated by the training.
        resume: whether to resume from the last snapshot in `scratch`.
        save_every: seconds of training between two snapshots, at most.
        stamp: identity of the trial, stored in its snapshots.
        micro_batches: parts of each batch, or more of them where those lack memory too; 1 for whole batches.
        facts: receives the number of micro-batches, and the size of the cached features of a frozen prefix.
        recorded: returns how many epochs of the resumed training the driver has recorded.
        on_first_step: called after the first step.
        on_snapshot: called after each snapshot.
        stopwatch: measures the seconds that one image takes.
        figures: size and operations of the model.
        pulse: called after every step and every batch of validation; returns whether the trial is preempted.
    """

    device: torch.device
    metrics: Mapping[str, Metric]
    objective: Objective
    seed: int
    scratch: Path
    precision: Precision = "float32"
    fixed: Sequence[nn.Module] = ()
    pixels: Pixels | None = None
    memory: PeakMemory | None = None
    progress: Progress = field(default_factory=Progress)
    resume: bool = False
    save_every: float = 30.0
    stamp: Stamp | None = None
    micro_batches: int = 1
    facts: dict[str, Any] = field(default_factory=dict)
    recorded: Callable[[], int] | None = None
    on_first_step: Callable[[], None] = _nothing
    on_snapshot: Callable[[], None] = _nothing
    pulse: Pulse = unwatched
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    figures: ModelFigures = field(default_factory=ModelFigures)
