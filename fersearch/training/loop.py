"""The training loop: a generator of epochs."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from fersearch.components import Metric
from fersearch.data.arrays import Loaded
from fersearch.space import Value
from fersearch.study import Objective
from fersearch.training.augment import Augmentation, strengths
from fersearch.training.batches import Batches, Pixels
from fersearch.training.errors import check_finite
from fersearch.training.evaluate import compute, confusion_matrix, judge
from fersearch.training.freeze import hold
from fersearch.training.losses import Loss, Targets, class_weights, criterion
from fersearch.training.measure import Clock, PeakMemory
from fersearch.training.optim import Schedule, optimizer
from fersearch.training.precision import Precision, autocast
from fersearch.training.progress import Keeper, Progress
from fersearch.training.seeds import derive
from fersearch.training.states import States
from fersearch.trial import Decision, Epoch

CHECKED = 64  # steps between two looks at the loss, each of which makes a GPU wait


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
    recorded: int | None = None,
    on_first_step: Callable[[], None] = lambda: None,
) -> Generator[Epoch, Decision | None, None]:
    """Train a model on its device and yield each epoch; to leave the `for` is to prune.

    The best weights by `objective` on validation, and what a resumed trial goes on from, are kept
    in `scratch`: at most every `save_every` seconds of training, and when an epoch is answered by
    INTERRUPT. `fixed` are the layers whose statistics stay as they are; `progress` is filled in on
    the way. A resumed trial first yields again what its state holds beyond the `recorded` epochs: they
    were trained and never heard. The same seed on the same device gives the same epochs, resumed or not.

    Raises:
        Diverged: the loss, an output or the objective is no longer finite.
        DiskFull: there is no room for a checkpoint.
    """
    pixels = pixels or Pixels.of(loaded.images, loaded.mean, loaded.std, device)
    fit = Fit.of(model, loaded, params, pixels, objective, precision)
    progress = progress or Progress()
    keeper = Keeper(States(scratch), model, fit.updates, fit.schedule, objective, progress)
    if resume:
        keeper.resume()
        for epoch in progress.unheard(recorded):
            if (yield epoch) is Decision.INTERRUPT:
                return
    clock = Clock(device, progress.seconds, progress.cpu_seconds)
    memory = memory or PeakMemory(device)
    for number in range(progress.epoch + 1, int(params["epochs"]) + 1):
        torch.manual_seed(derive(seed, "dropout", number))
        model.train()
        hold(fixed)
        with memory.watching(), clock.running():
            train_loss = fit.epoch(number, derive(seed, "batches", number), on_first_step)
        seconds, cpu_seconds = progress.add(number, clock, memory)
        judged = judge(model, loaded, pixels, "valid", fit.batches.batch_size, fit.loss_of, precision)
        values = compute(metrics, progress.evaluation(judged, loaded.task, model, pixels))
        values |= {"train_loss": train_loss, "valid_loss": judged.loss}
        check_finite(values[objective.metric], objective.metric)
        fit.schedule.judge(values[objective.metric])
        epoch = Epoch(number, values, seconds, cpu_seconds, confusion_matrix(judged.probabilities, judged.labels))
        keeper.keep(epoch, save_every)
        if (yield epoch) is Decision.INTERRUPT:
            keeper.save()
            return


@dataclass
class Fit:
    """What the steps of a trial have in common."""

    model: nn.Module
    batches: Batches
    loss_of: Loss
    updates: torch.optim.Optimizer
    schedule: Schedule
    precision: Precision

    @classmethod
    def of(
        cls,
        model: nn.Module,
        loaded: Loaded,
        params: Mapping[str, Value],
        pixels: Pixels,
        objective: Objective,
        precision: Precision,
    ) -> "Fit":
        """Put together what `params` name."""
        classes, rows = loaded.task.num_classes, loaded.indices["train"]
        weights = class_weights(str(params.get("class_weights", "none")), loaded.hard[rows], classes)
        targets = Targets.of(str(params.get("target", loaded.target)), loaded.hard, loaded.soft, classes)
        augmentation = Augmentation(strengths(params), classes)
        batches = Batches(pixels, targets, rows, int(params["batch_size"]), augmentation)
        loss_of = criterion(params, None if weights is None else weights.to(pixels.device))
        updates = optimizer(model.parameters(), params)
        return cls(model, batches, loss_of, updates, Schedule(updates, params, objective), precision)

    def epoch(self, number: int, seed: int, on_first_step: Callable[[], None]) -> float:
        """One pass over the training images; returns their mean loss."""
        total = torch.zeros((), device=self.batches.pixels.device)
        for step, (images, targets) in enumerate(self.batches.epoch(seed)):
            self.schedule.step(number - 1 + step / len(self.batches))
            with autocast(self.precision, images.device):
                loss = self.loss_of(self.model(images), targets)
            self.updates.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.updates.step()
            total += loss.detach() * len(images)
            if step == 0:
                on_first_step()
            if step % CHECKED == 0:
                check_finite(total, "the training loss")
        check_finite(total, "the training loss")
        return float(total) / self.batches.count
