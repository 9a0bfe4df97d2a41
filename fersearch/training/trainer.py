"""The steps of a trial: batches in, weights changed."""

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
from fersearch.training.augment import Augmentation, as_judged, strengths
from fersearch.training.batches import Batches, Pixels, slices
from fersearch.training.feature_cache import Features
from fersearch.training.losses import Loss, Targets, class_weights, criterion, mass
from fersearch.training.model import hold
from fersearch.training.numerics import Precision, autocast, check_finite, derive, wrap
from fersearch.training.optim import Average, Schedule, optimizer
from fersearch.training.preemption import UnderWay
from fersearch.training.sampling import Sampling

CHECKED = 64  # steps between two looks at the loss, each of which makes a GPU wait


@dataclass
class Fit:
    """What the steps of a trial have in common.

    `kept` is the module whose weights are those of an epoch: the model itself, or its average. `judged` shows
    it images as validation does. `clip_norm` bounds the length of the gradient; 0 does not. Where the features
    of a frozen prefix are cached, `stepped` and `judging` take them in place of images.

    A batch goes through the model in `parts` (micro-batches) one after another; `mass_of` its targets says what
    each counts for, so that the sum of their gradients is that of the whole batch. Batch normalisation takes
    its mean and deviation from each part, and dropout draws other masks than for a whole batch.
    """

    model: nn.Module
    batches: Batches
    loss_of: Loss
    updates: torch.optim.Optimizer
    schedule: Schedule
    precision: Precision
    kept: nn.Module
    judged: nn.Module
    average: Average | None = None
    clip_norm: float = 0.0
    tail: nn.Module | None = None
    parts: int = 1
    mass_of: Callable[[Tensor], Tensor | float] = len
    under_way: UnderWay | None = None

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.batches.pixels.device

    @property
    def part_size(self) -> int:
        """How many images go through the model at once."""
        return math.ceil(self.batches.batch_size / self.parts)

    @property
    def stepped(self) -> nn.Module:
        """What a batch goes through in training."""
        return self.tail or self.model

    @property
    def judging(self) -> nn.Module:
        """What a batch goes through in validation."""
        return self.tail or self.judged

    @property
    def repeats(self) -> bool:
        """Whether the model sees the same input for an image in every epoch, in training as in validation."""
        return self.batches.plain and self.judged is self.model

    def see(self, features: Features, tail: nn.Module) -> None:
        """Go on with the features of a frozen prefix in place of images."""
        self.batches.pixels, self.tail = features, tail

    def train(self, fixed: Sequence[nn.Module]) -> None:
        """Put the modules into training mode, but for those whose statistics stay as they are."""
        self.model.train()
        self.stepped.train()
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
    ) -> "Fit":
        """Put together what `params` name."""
        classes, rows = loaded.task.num_classes, loaded.indices["train"]
        weights = class_weights(str(params.get("class_weights", "none")), loaded.hard[rows], classes)
        targets = Targets.of(str(params.get("target", loaded.target)), loaded.hard, loaded.soft, classes)
        augmentation = Augmentation(strengths(params), classes, int(params.get("crop", 0)))
        sampling = Sampling(str(params.get("sampling", "shuffle")), wrap(loaded.hard)[wrap(rows)])
        batches = Batches(pixels, targets, rows, int(params["batch_size"]), augmentation, sampling)
        weights = None if weights is None else weights.to(pixels.device)
        updates = optimizer(model.parameters(), params)
        average = Average(model, float(params["ema"])) if params.get("ema") else None
        return cls(
            model,
            batches,
            criterion(params, weights),
            updates,
            Schedule(updates, params, objective),
            precision,
            kept=average.model if average else model,
            judged=as_judged(average.model if average else model, params),
            average=average,
            clip_norm=float(params.get("clip_norm", 0.0)),
            mass_of=partial(mass, params, weights),
        )

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on, but for how far the trial has come."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.updates.state_dict(),
            "schedule": self.schedule.state_dict(),
        }
        own = {"average": self.average, "under_way": self.under_way}
        return state | {name: part.state_dict() for name, part in own.items() if part}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a kept state."""
        self.model.load_state_dict(state["model"])
        self.updates.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.under_way = UnderWay.of(state["under_way"], self.device) if "under_way" in state else None

    def epoch(self, number: int, seed: int) -> Iterator[None]:
        """Take the steps of one pass over the training images, as they are drawn and augmented; yields after each.

        An epoch that is under way goes on after its last step.
        """
        if self.under_way is None:
            torch.manual_seed(derive(seed, "dropout", number))
            self.under_way = UnderWay.start(self.device)
        at = self.under_way
        at.go_on()
        for images, targets in self.batches.epoch(derive(seed, "batches", number), at.step):
            self.schedule.step(number - 1 + at.step / len(self.batches))
            at.sums += self.learn(images, targets)
            if at.step % CHECKED == 0:
                check_finite(at.sums, "the training loss")
            at.step += 1
            yield

    def learnt(self) -> tuple[float, float]:
        """The mean loss of the images of the epoch under way, and the share of them that were called right."""
        at = self.under_way or UnderWay.start(self.device)
        check_finite(at.sums, "the training loss")
        loss_sum, right_sum = at.sums.tolist()
        return loss_sum / self.batches.count, right_sum / self.batches.count

    def end_epoch(self) -> None:
        """End the epoch under way."""
        self.under_way = None

    def learn(self, images: Tensor, targets: Tensor) -> Tensor:
        """Change the weights by a batch; returns (2) the sum of its images' losses, and how many it called right."""
        self.updates.zero_grad(set_to_none=True)
        if self.parts == 1:
            loss, called = self._gradients(images, targets)
        else:
            loss, called = self._in_parts(images, targets)
        self._update()
        return torch.stack((loss * len(images), called))

    def _in_parts(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Add the gradients of a batch part by part; returns the whole batch's mean loss and what is called right."""
        whole = self.mass_of(targets)
        sums = torch.zeros(2, device=images.device)
        for cut in slices(len(images), self.part_size):
            share = self.mass_of(targets[cut]) / whole
            sums += torch.stack(self._gradients(images[cut], targets[cut], share))
        return sums[0], sums[1]

    def _gradients(self, images: Tensor, targets: Tensor, share: Tensor | float | None = None) -> tuple[Tensor, Tensor]:
        """Add the gradients of some images' mean loss; returns it and what is called right. It counts for `share`."""
        with autocast(self.precision, images.device):
            logits = self.stepped(images)
            loss = self.loss_of(logits, targets)
        loss = loss if share is None else loss * share
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), right(logits.detach(), targets)

    def _update(self) -> None:
        """Change the weights by their gradients."""
        if self.clip_norm:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.updates.step()
        if self.average:
            self.average.update()


def right(logits: Tensor, targets: Tensor) -> Tensor:
    """How many images of a batch are called by their class, by the largest share where targets are shares."""
    wanted = targets.argmax(1) if targets.is_floating_point() else targets
    return (logits.argmax(1) == wanted).sum().to(torch.float32)
