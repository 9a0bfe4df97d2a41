"""The training loop: a generator of epochs."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from fersearch.components import Metric
from fersearch.data.arrays import Loaded
from fersearch.space import Value
from fersearch.study import Objective
from fersearch.training.batches import Pixels, Source
from fersearch.training.evaluate import compute, confusion_matrix, judge
from fersearch.training.feature_cache import Features, find
from fersearch.training.measure import PeakMemory
from fersearch.training.memory import fit_into_memory
from fersearch.training.numerics import Precision, check_finite, derive
from fersearch.training.preemption import Left, Pulse, alone
from fersearch.training.resume import Keeper, Progress
from fersearch.training.snapshots import States
from fersearch.training.stamp import Stamp
from fersearch.training.trainer import Fit
from fersearch.trial import Decision, Epoch

if TYPE_CHECKING:
    from fersearch.training.measure import Clock, PeakMemory


def train(
    model: nn.Module,
    loaded: Loaded,
    params: Mapping[str, Value],
    *,
    device: torch.device,
    metrics: Mapping[str, Metric],
    objective: Objective,
    seed: int,
    scratch: Path,
    resume: bool = False,
    precision: Precision = "float32",
    fixed: Sequence[nn.Module] = (),
    pixels: Pixels | None = None,
    memory: PeakMemory | None = None,
    progress: Progress | None = None,
    save_every: float = 30.0,
    recorded: Callable[[], int] | None = None,
    stamp: Stamp | None = None,
    on_first_step: Callable[[], None] = lambda: None,
    on_saved: Callable[[], None] = lambda: None,
    pulse: Pulse = alone,
    micro_batches: int = 1,
    facts: dict[str, Any] | None = None,
) -> Generator[Epoch, Decision | None, None]:
    """Train a model on its device and yield each epoch; to leave the `for` is to prune.

    The best weights by `objective` on validation, and what a resumed trial goes on from, are kept in
    `scratch`: at most every `save_every` seconds of training, between any two steps; when an epoch is
    answered by INTERRUPT; and when `pulse`, which is called after every step and every batch of
    validation, says to leave, which ends training inside the epoch. `on_saved` is called after each state
    that was kept. `fixed` are the layers whose statistics stay as they are; `progress` is filled in on the
    way. States carry the `stamp` of their trial. A resumed trial first yields again what its state holds beyond
    the epochs that were `recorded` since the attempt that began it: they were trained and never heard.
    `early_stopping` in `params` ends training after so many epochs without a better one. With `micro_batches`
    above 1 each batch is learnt from in so many parts, or in more if those do not fit into memory; `facts` is told
    in how many, and of the features of a frozen prefix that are cached. The same seed on the same device gives the
    same epochs, resumed or not.

    Raises:
        Diverged: the loss, an output or the objective is no longer finite.
        DiskFull: there is no room for a checkpoint.
        Left: `pulse` says to leave before there is anything new to save.
        Unusable: what was kept cannot be gone on from; nothing is done yet.
    """
    pixels = pixels or Pixels.of(loaded.images, loaded.mean, loaded.std, device)
    fit = Fit.of(model, loaded, params, pixels, objective, precision)
    progress = progress or Progress()
    keeper = Keeper(States(scratch, stamp), fit, progress, save_every, on_saved=on_saved)
    if resume:
        keeper.resume()
        for epoch in progress.unheard(recorded and recorded()):
            if (yield epoch) is Decision.INTERRUPT:
                return
    clock = progress.clock(device)
    memory = memory or PeakMemory(device)
    planned, patience = int(params["epochs"]), int(params.get("early_stopping", 0))
    facts = {} if facts is None else facts
    seen: Source = pixels
    if fit.repeats and planned - progress.epoch > 1 and not progress.stalled(patience):
        timed = nullcontext() if progress.epoch or progress.within else clock.running()
        if features := _cache(fit, pixels, loaded, fixed, pulse, memory, timed):
            seen, facts["cached_features"] = features, features.told()
    if micro_batches > 1:
        with memory.rehearsing():
            _rehearse(fit, micro_batches, fixed, seed, facts)
    for number in range(progress.epoch + 1, planned + 1):
        if progress.stalled(patience):
            return
        fit.train(fixed)
        if not walk(fit.epoch(number, seed), keeper, clock, memory, pulse, on_first_step):
            return
        train_loss, train_accuracy = fit.learnt()
        try:
            judged = judge(fit.judging, loaded, seen, "valid", fit.part_size, fit.loss_of, precision, pulse)
        except Left:
            progress.pause(clock, memory)
            keeper.save()
            return
        fit.end_epoch()
        seconds, cpu_seconds = progress.add(number, clock, memory)
        values = compute(metrics, progress.evaluation(judged, loaded.task, fit.judged, pixels))
        values |= {"train_loss": train_loss, "train_accuracy": train_accuracy, "valid_loss": judged.loss}
        check_finite(values[objective.metric], objective.metric)
        fit.schedule.judge(values[objective.metric])
        progress.rate(number, objective.loss(values[objective.metric]))
        last = number == planned or progress.stalled(patience)
        counts = confusion_matrix(judged.probabilities, judged.labels)
        epoch = Epoch(number, values, seconds, cpu_seconds, counts, last=last)
        keeper.keep(epoch)
        if (yield epoch) is Decision.INTERRUPT:
            keeper.save()
            return


def _cache(
    fit: Fit,
    pixels: Pixels,
    loaded: Loaded,
    fixed: Sequence[nn.Module],
    pulse: Pulse,
    memory: PeakMemory,
    timed: AbstractContextManager[Any],
) -> Features | None:
    """Compute the features of a frozen prefix, `timed`, and have the steps go on from them; None without one."""
    rows = np.concatenate([loaded.indices["train"], loaded.indices["valid"]])
    prefix = find(fit.model, pixels, rows, fixed, fit.precision)
    if prefix is None:
        return None
    with memory.watching(), timed:
        features = Features(prefix, pixels, rows, pulse)
    fit.see(features, prefix.tail)
    return features


def _rehearse(fit: Fit, parts: int, fixed: Sequence[nn.Module], seed: int, facts: dict[str, Any]) -> None:
    """Cut batches into so many parts, or into more, until two steps fit into memory; `facts` is told in how many."""
    facts["micro_batches"] = parts
    try:
        fit_into_memory(fit, parts, fixed, derive(seed, "batches", 1))
    finally:
        facts["micro_batches"] = fit.parts


def walk(
    steps: Iterator[None],
    keeper: "Keeper",
    clock: "Clock",
    memory: "PeakMemory",
    pulse: Pulse,
    on_first_step: Callable[[], None],
) -> bool:
    """Take the steps of an epoch on the clock, and off it save the state whenever that is due.

    Returns whether they were all taken; otherwise the trial is to leave, and its state is saved.
    """
    first = True
    while True:
        with memory.watching(), clock.running():
            for _ in steps:
                if first:
                    on_first_step()
                    first = False
                leave = pulse()
                if leave or keeper.due(clock.passed):
                    break
            else:
                return True
        keeper.progress.pause(clock, memory)
        keeper.save()
        if leave:
            return False
