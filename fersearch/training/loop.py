"""The training loop: a generator of epochs."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from fersearch.data.arrays import Loaded
from fersearch.space import Value
from fersearch.training.batches import Pixels, Source
from fersearch.training.context import TrainingContext
from fersearch.training.evaluate import Validation, compute, confusion_matrix
from fersearch.training.feature_cache import Features, find_prefix
from fersearch.training.figures import SHAPE_FIGURES
from fersearch.training.measure import Clock, PeakMemory
from fersearch.training.memory import fit_into_memory
from fersearch.training.numerics import check_finite, derive
from fersearch.training.preemption import Preempted
from fersearch.training.resume import Snapshots
from fersearch.training.snapshots import States
from fersearch.training.trainer import Trainer
from fersearch.trial import Decision, Epoch


def train(
    model: nn.Module, loaded: Loaded, params: Mapping[str, Value], context: TrainingContext
) -> Generator[Epoch, Decision | None, None]:
    """Train a model on its device and yield each epoch; a caller prunes by leaving its loop over them.

    The best weights by the objective on validation, and snapshots to resume from, are stored in the context's
    `scratch`. A snapshot is taken at most every `save_every` seconds of training, between any two steps; when
    INTERRUPT is sent after an epoch; and when the trial is preempted, which ends training inside the epoch. A resumed
    trial first yields the epochs of its snapshot after the `recorded` ones, which were trained and never reported.
    `early_stopping` in `params` ends training after so many epochs without a better one. The same seed on the same
    device gives the same epochs, resumed or not.

    Raises:
        Diverged: the loss, an output or the objective is no longer finite.
        DiskFull: there is no room for a checkpoint.
        Preempted: the trial is preempted before there is anything new to save.
        Unusable: the snapshot cannot be resumed from; raised before anything is trained.
    """
    training = _Training(model, loaded, params, context)
    if context.resume:
        training.snapshots.resume()
        for epoch in context.progress.unreported(context.recorded and context.recorded()):
            if (yield epoch) is Decision.INTERRUPT:
                return
    training.prepare()
    for number in training.remaining_epochs():
        if not training.train_epoch(number):
            return
        try:
            validation = training.validate()
        except Preempted:
            training.pause()
            return
        if (yield training.end_epoch(number, validation)) is Decision.INTERRUPT:
            training.snapshots.snapshot()
            return


class _Training:
    """One training: the trainer, its snapshots, and its measurements."""

    def __init__(self, model: nn.Module, loaded: Loaded, params: Mapping[str, Value], context: TrainingContext) -> None:
        self.loaded, self.context, self.progress = loaded, context, context.progress
        self.pixels = context.pixels or Pixels.of(loaded.images, loaded.mean, loaded.std, context.device)
        self.trainer = Trainer.of(model, loaded, params, self.pixels, context.objective, context.precision)
        states = States(context.scratch, context.stamp)
        self.snapshots = Snapshots(
            states, self.trainer, self.progress, context.save_every, on_snapshot=context.on_snapshot
        )
        self.planned, self.patience = int(params["epochs"]), int(params.get("early_stopping", 0))
        self.source: Source = self.pixels
        self.clock: Clock
        self.memory: PeakMemory
        self._stepped = False

    def prepare(self) -> None:
        """Start the clock, cache the features of a frozen prefix, and split batches until they fit into memory."""
        context, progress, trainer = self.context, self.progress, self.trainer
        self.clock = progress.clock(context.device)
        self.memory = context.memory or PeakMemory(context.device)
        if trainer.repeats and self.planned - progress.epoch > 1 and not self.stalled:
            timed = nullcontext() if progress.epoch or progress.within else self.clock.running()
            self._cache_features(timed)
        if context.micro_batches > 1:
            with self.memory.rehearsing():
                self._fit_batches()

    @property
    def stalled(self) -> bool:
        """Whether early stopping ends the training now."""
        return self.progress.stalled(self.patience)

    def remaining_epochs(self) -> Iterator[int]:
        """Yield the numbers of the epochs still to be trained."""
        for number in range(self.progress.epoch + 1, self.planned + 1):
            if self.stalled:
                return
            yield number

    def train_epoch(self, number: int) -> bool:
        """Take the steps of an epoch; snapshots that are due in between are not counted as training time.

        Returns whether the epoch is complete; otherwise the trial is preempted, and its snapshot was taken.
        """
        self.trainer.train_mode(self.context.fixed)
        steps = self.trainer.train_epoch(number, self.context.seed)
        while True:
            with self.memory.watching(), self.clock.running():
                for _ in steps:
                    self._note_first_step()
                    preempted = self.context.pulse()
                    if preempted or self.snapshots.due(self.clock.passed):
                        break
                else:
                    return True
            self.pause()
            if preempted:
                return False

    def validate(self) -> Validation:
        """Evaluate the epoch's weights on the validation split; Preempted if the trial is preempted meanwhile."""
        self._train_metrics = self.trainer.train_metrics()
        return self.trainer.validate(self.loaded, self.source, self.context.pulse)

    def end_epoch(self, number: int, validation: Validation) -> Epoch:
        """Add the epoch to the progress, compute its metrics, and store its weights and state where that is due."""
        progress, objective = self.progress, self.context.objective
        self.trainer.end_epoch()
        seconds, cpu_seconds = progress.add(number, self.clock, self.memory)
        model = self.trainer.validated
        latency = partial(progress.measure_latency, self.context.stopwatch, model, self.pixels)
        image = self.pixels.take(self.pixels.rows([0]))
        figures = {name: self.context.figures.of(name, model, image) for name in SHAPE_FIGURES}
        evaluation = progress.evaluation(validation, self.loaded.task, figures, latency)
        if progress.timed:
            self.context.facts["latency"] = progress.timed
        values = compute(self.context.metrics, evaluation)
        loss, accuracy = self._train_metrics
        values |= {"train_loss": loss, "train_accuracy": accuracy, "valid_loss": validation.loss}
        check_finite(values[objective.metric], objective.metric)
        self.trainer.schedule.update(values[objective.metric])
        progress.update_best(number, objective.loss(values[objective.metric]))
        last = number == self.planned or self.stalled
        counts = confusion_matrix(validation.probabilities, validation.labels)
        epoch = Epoch(number, values, seconds, cpu_seconds, counts, last=last)
        self.snapshots.end_epoch(epoch)
        return epoch

    def pause(self) -> None:
        """Add the time and memory of the unfinished epoch to the progress, and take a snapshot."""
        self.progress.pause(self.clock, self.memory)
        self.snapshots.snapshot()

    def _note_first_step(self) -> None:
        if not self._stepped:
            self._stepped = True
            self.context.on_first_step()

    def _cache_features(self, timed: AbstractContextManager[Any]) -> None:
        """Compute the features of the frozen prefix, if there is one, within `timed`, and use them as input."""
        indices, trainer = self.loaded.indices, self.trainer
        rows = np.concatenate([indices["train"], indices["valid"]])
        prefix = find_prefix(trainer.model, self.pixels, rows, self.context.fixed, trainer.precision)
        if prefix is None:
            return
        with self.memory.watching(), timed:
            features = Features(prefix, self.pixels, rows, self.context.pulse)
        trainer.use_features(features, prefix.tail)
        self.source, self.context.facts["cached_features"] = features, features.facts()

    def _fit_batches(self) -> None:
        """Split batches into `micro_batches`, or into more, until two steps fit into memory."""
        facts, parts = self.context.facts, self.context.micro_batches
        facts["micro_batches"] = parts
        try:
            fit_into_memory(self.trainer, parts, self.context.fixed, derive(self.context.seed, "batches", 1))
        finally:
            facts["micro_batches"] = self.trainer.micro_batches
