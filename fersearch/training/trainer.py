"""The trainer of a trial: training steps and validation."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from fersearch.data.arrays import Loaded
from fersearch.space import Value
from fersearch.study import Objective
from fersearch.training.augment import Augmentation, as_evaluated, strengths
from fersearch.training.batches import Batches, Pixels, Source, slices
from fersearch.training.evaluate import Validation, validate
from fersearch.training.feature_cache import Features
from fersearch.training.freezing import hold
from fersearch.training.losses import Loss, Targets, class_weights, mass
from fersearch.training.losses import criterion as make_criterion
from fersearch.training.numerics import Precision, autocast, check_finite, derive, wrap
from fersearch.training.optim import Average, Schedule
from fersearch.training.optim import optimizer as make_optimizer
from fersearch.training.preemption import PartialEpoch, Pulse, unwatched
from fersearch.training.sampling import Sampling

CHECKED = 64  # steps between two reads of the loss, each of which synchronises the GPU


@dataclass
class Trainer:
    """A trainer that trains a model batch by batch, and validates it.

    `saved_module` has the weights that an epoch stores: the model itself, or its average; `validated` wraps it in the
    test-time augmentation. `clip_norm` bounds the norm of the gradient; 0 means no bound. Where the features of a
    frozen prefix are cached, `train_module` and `eval_module` take them in place of images.

    A batch passes through the model in `micro_batches`, one after another; each is weighted by `weight_of` its targets,
    so that the sum of their gradients is that of the whole batch. Batch normalisation takes its mean and deviation
    from each micro-batch, and dropout draws other masks than for a whole batch.
    """

    model: nn.Module
    batches: Batches
    criterion: Loss
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    precision: Precision
    saved_module: nn.Module
    validated: nn.Module
    average: Average | None = None
    clip_norm: float = 0.0
    tail: nn.Module | None = None
    micro_batches: int = 1
    weight_of: Callable[[Tensor], Tensor | float] = len
    partial: PartialEpoch | None = None

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return self.batches.pixels.device

    @property
    def micro_batch_size(self) -> int:
        """The number of images in a micro-batch."""
        return math.ceil(self.batches.batch_size / self.micro_batches)

    @property
    def train_module(self) -> nn.Module:
        """The module that a batch goes through in training."""
        return self.tail or self.model

    @property
    def eval_module(self) -> nn.Module:
        """The module that a batch goes through in validation."""
        return self.tail or self.validated

    @property
    def repeats(self) -> bool:
        """Whether the model sees the same input for an image in every epoch, in training as in validation."""
        return self.batches.plain and self.validated is self.model

    def use_features(self, features: Features, tail: nn.Module) -> None:
        """Use the features of a frozen prefix in place of images from now on."""
        self.batches.pixels, self.tail = features, tail

    def train_mode(self, fixed: Sequence[nn.Module]) -> None:
        """Set the modules to training mode, except the `fixed` ones, whose statistics must not change."""
        self.model.train()
        self.train_module.train()
        hold(fixed)

    @classmethod
    def of(
        cls,
        model: nn.Module,
        loaded: Loaded,
        params: Mapping[str, Value],
        pixels: Pixels,
        objective: Objective,
        precision: Precision,
    ) -> "Trainer":
        """Return the trainer that `params` describe."""
        classes, rows = loaded.task.num_classes, loaded.indices["train"]
        weights = class_weights(str(params.get("class_weights", "none")), loaded.hard[rows], classes)
        targets = Targets.of(str(params.get("target", loaded.target)), loaded.hard, loaded.soft, classes)
        augmentation = Augmentation(strengths(params), classes, int(params.get("crop", 0)))
        sampling = Sampling(str(params.get("sampling", "shuffle")), wrap(loaded.hard)[wrap(rows)])
        batches = Batches(pixels, targets, rows, int(params["batch_size"]), augmentation, sampling)
        weights = None if weights is None else weights.to(pixels.device)
        updates = make_optimizer(model.parameters(), params)
        average = Average(model, float(params["ema"])) if params.get("ema") else None
        return cls(
            model,
            batches,
            make_criterion(params, weights),
            updates,
            Schedule(updates, params, objective),
            precision,
            saved_module=average.model if average else model,
            validated=as_evaluated(average.model if average else model, params),
            average=average,
            clip_norm=float(params.get("clip_norm", 0.0)),
            weight_of=partial(mass, params, weights),
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the state to resume from, without the trial's progress."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        own = {"average": self.average, "under_way": self.partial}
        return state | {name: part.state_dict() for name, part in own.items() if part}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a stored state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.partial = PartialEpoch.of(state["under_way"], self.device) if "under_way" in state else None

    def train_epoch(self, number: int, seed: int) -> Iterator[None]:
        """Take the steps of one epoch over the sampled and augmented training images; yield after each.

        An unfinished epoch continues after its last step.
        """
        if self.partial is None:
            torch.manual_seed(derive(seed, "dropout", number))
            self.partial = PartialEpoch.start(self.device)
        at = self.partial
        at.restore_generators()
        for images, targets in self.batches.epoch(derive(seed, "batches", number), at.step):
            self.schedule.step(number - 1 + at.step / len(self.batches))
            at.sums += self.train_step(images, targets)
            if at.step % CHECKED == 0:
                check_finite(at.sums, "the training loss")
            at.step += 1
            yield

    def train_metrics(self) -> tuple[float, float]:
        """Return the mean loss and the accuracy on the images of the current epoch so far."""
        at = self.partial or PartialEpoch.start(self.device)
        check_finite(at.sums, "the training loss")
        loss_sum, right_sum = at.sums.tolist()
        return loss_sum / self.batches.count, right_sum / self.batches.count

    def end_epoch(self) -> None:
        """End the current epoch."""
        self.partial = None

    def train_step(self, images: Tensor, targets: Tensor) -> Tensor:
        """Take a step on a batch; return (2) the sum of its images' losses and the number of correct images."""
        self.optimizer.zero_grad(set_to_none=True)
        if self.micro_batches == 1:
            loss, called = self.gradients(images, targets)
        else:
            loss, called = self._in_micro_batches(images, targets)
        self._update()
        return torch.stack((loss * len(images), called))

    def validate(self, loaded: Loaded, source: Source, pulse: Pulse = unwatched) -> Validation:
        """Evaluate the epoch's weights on the validation split, whose images or features `source` has.

        Raises:
            Diverged: an output is not finite.
            Preempted: `pulse` says to leave.
        """
        return validate(
            self.eval_module, loaded, source, "valid", self.micro_batch_size, self.criterion, self.precision, pulse
        )

    def _in_micro_batches(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Accumulate the gradients of a batch by micro-batches; return its mean loss and the number correct."""
        whole = self.weight_of(targets)
        sums = torch.zeros(2, device=images.device)
        for cut in slices(len(images), self.micro_batch_size):
            share = self.weight_of(targets[cut]) / whole
            sums += torch.stack(self.gradients(images[cut], targets[cut], share))
        return sums[0], sums[1]

    def gradients(self, images: Tensor, targets: Tensor, share: Tensor | float | None = None) -> tuple[Tensor, Tensor]:
        """Accumulate the gradients of `share` times the mean loss of some images; return it and the number correct."""
        with autocast(self.precision, images.device):
            logits = self.train_module(images)
            loss = self.criterion(logits, targets)
        loss = loss if share is None else loss * share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), correct(logits.detach(), targets)

    def _update(self) -> None:
        """Update the weights by their gradients."""
        if self.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        if self.average:
            self.average.update()


def correct(logits: Tensor, targets: Tensor) -> Tensor:
    """Return how many images of a batch are classified correctly, as their largest share where targets are shares."""
    labels = targets.argmax(1) if targets.is_floating_point() else targets
    return (logits.argmax(1) == labels).sum().to(torch.float32)
