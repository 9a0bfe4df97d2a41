"""The choice of the faster memory format for a network on a device, by a few steps in each before training.

The steps are forward and backward passes of a model that is then discarded, so that neither the weights nor the draws
of the training depend on them. The two formats alternate, and the shortest step of each counts: other work on the
machine only ever makes a step longer.
"""

import contextlib
import gc
import hashlib
import json
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from fersearch.components import Architecture, Task, trained_task
from fersearch.data.arrays import Loaded
from fersearch.recipe import OPTIMISATION, REGULARISATION
from fersearch.training.batches import Pixels
from fersearch.training.freezing import freeze
from fersearch.training.measure import Clock, device_name
from fersearch.training.memory_format import MemoryFormat, arrange, arranged, resolve_format
from fersearch.training.model import build
from fersearch.training.numerics import Precision, autocast, check_finite, derive, first_line, is_out_of_memory
from fersearch.training.pauses import paused
from fersearch.training.preemption import Preempted, Pulse, unwatched
from fersearch.training.request import TrialRequest
from fersearch.training.trainer import Trainer

Settle = Callable[[Mapping[str, Any]], str]
"""Called with the facts of a rehearsal; returns the memory format that the study decided on for its shape."""

Check = Callable[[nn.Module, Pixels], None]
"""Raises an error for a model that must not be trained, as it breaks a bound."""
MIN_SPEEDUP = 1.03
"""The speed-up from which channels_last is chosen."""
LIMIT = 2.3  # seconds after which no further step begins
ENOUGH = 0.2  # seconds of timed steps after which it ends, after LEAST turns
LEAST, MOST = 3, 12  # turns
FEW = 2  # images of the first steps: batch normalisation cannot learn from one
STEPS = 6  # at the rehearsed batch size, in the remaining time: one to warm up and two timed in each format
TOLERANCE: dict[Precision, float] = {"float32": 0.02, "bf16": 0.2}  # as a share of the largest logit
REHEARSED = ("cpu", "cuda")  # device types; others stay contiguous
WITHOUT_EFFECT = {*OPTIMISATION, *REGULARISATION, "target"} - {"batch_size", "crop"}


@dataclass(frozen=True)
class Rehearsal:
    """The result of a rehearsal: the speed-up by channels_last as `gain`, or None and the reason as `trouble`."""

    gain: float | None
    seconds: float
    trouble: str = ""

    @property
    def memory_format(self) -> MemoryFormat:
        """The format that the result suggests."""
        return "channels_last" if self.gain is not None and self.gain >= MIN_SPEEDUP else "contiguous"

    def facts(self, shape: str) -> dict[str, Any]:
        """Return the result for trials of a shape as plain data."""
        gain = None if self.gain is None else round(self.gain, 3)
        facts = {"shape": shape, "gain": gain, "seconds": round(self.seconds, 2), "memory_format": self.memory_format}
        return {**facts, "trouble": self.trouble} if self.trouble else facts


@dataclass(frozen=True)
class Subject:
    """The trial to rehearse: its request, architecture and data, and where and how it computes."""

    request: TrialRequest
    architecture: Architecture
    loaded: Loaded
    device: torch.device
    precision: Precision


def settled_format(
    subject: Subject, settle: Settle, pulse: Pulse = unwatched, check: Check = lambda *_: None
) -> MemoryFormat:
    """Return the memory format of a trial: as requested, as decided before for its shape, or by a rehearsal now.

    `check` is called with a rehearsed model before its first step.

    Raises:
        FersearchError: the network cannot be built, or fails on images in the contiguous format.
        Preempted: `pulse`, called between steps, returned True.
    """
    request = subject.request
    if request.memory_format != "auto" or subject.device.type not in REHEARSED:
        return resolve_format(request.memory_format)
    shape = shape_of(request, subject.loaded.task, subject.device, subject.precision)
    if shape in request.formats:
        known = request.formats[shape]
        settle({"shape": shape, "memory_format": known})
        return resolve_format(known)
    rehearsal = rehearse(subject, pulse, check)
    if not rehearsal:
        return "contiguous"
    named = {"architecture": subject.architecture.name} if rehearsal.trouble else {}
    return resolve_format(settle({**rehearsal.facts(shape), **named}))


def shape_of(request: TrialRequest, task: Task, device: torch.device, precision: Precision) -> str:
    """Return the digest of all that determines the speed of a trial's steps; trials of equal digests share one."""
    network = {name: value for name, value in request.params.items() if name not in WITHOUT_EFFECT}
    seen = trained_task(task, request.params)
    images = [seen.channels, seen.image_size, seen.num_classes, request.micro_batches]
    where = [precision, torch.get_num_threads(), device.type, device_name(device)]
    text = json.dumps([request.architecture, network, images, where], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def rehearse(subject: Subject, pulse: Pulse = unwatched, check: Check = lambda *_: None) -> Rehearsal | None:
    """Take a few steps of a trial in both formats; None where they fail in the contiguous one too.

    Raises:
        FersearchError: the network cannot be built, or fails on images in the contiguous format.
        Preempted: `pulse` returned True.
    """
    started = time.perf_counter()
    request, architecture, loaded, device = subject.request, subject.architecture, subject.loaded, subject.device
    pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, device)
    model = build(architecture, replace(request, weights=None), loaded, pixels)
    check(model, pixels)
    fixed = freeze(architecture, model, request.params)
    trainer = Trainer.of(model, loaded, request.params, pixels, request.objective, subject.precision)
    trainer.micro_batches = min(request.micro_batches, max(1, trainer.batches.batch_size))
    alive = weakref.ref(model)
    comparison = _Comparison(trainer, fixed, pulse, time.perf_counter() + LIMIT, derive(request.seed, "batches", 1))
    try:
        trouble = comparison.trouble()
        gain = None if trouble else comparison.gain()
    except Preempted:
        raise
    except Exception:  # the training reports the error of the contiguous format
        return None
    finally:
        del model, trainer, comparison, pixels
        _release_memory(device, alive)
    return Rehearsal(gain, time.perf_counter() - started, trouble)


@dataclass
class _Comparison:
    """A trainer that steps in both formats alternately, on the first batch of a trial."""

    trainer: Trainer
    fixed: Sequence[nn.Module]
    pulse: Pulse
    deadline: float
    seed: int
    times: dict[MemoryFormat, list[float]] = field(default_factory=lambda: {"contiguous": [], "channels_last": []})

    def __post_init__(self) -> None:
        self.paused_before = paused()
        images, targets = next(iter(self.trainer.batches.epoch(self.seed)))
        self.images, self.targets = (each[: self.trainer.micro_batch_size] for each in (images, targets))

    def trouble(self) -> str:
        """Return why the network cannot be trained in channels_last; empty where it can.

        Raises:
            Exception: it cannot be trained in the contiguous format either.
        """
        expected = self._logits("contiguous")
        check_finite(expected, "the output")
        if trouble := self._compared(expected):
            check_finite(self._step("contiguous", FEW), "the loss")
        return trouble

    def _compared(self, expected: Tensor) -> str:
        """Return the problem of a step in channels_last, whose logits should be the `expected` ones; empty if none."""
        try:
            logits = self._logits("channels_last")
            loss = self._step("channels_last", FEW)
        except Preempted:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return f"it fails: {type(error).__name__}: {first_line(error)}"
        if not (bool(torch.isfinite(logits).all()) and bool(torch.isfinite(loss))):
            return "its output is not finite"
        difference = float((logits - expected).abs().max())
        most = TOLERANCE[self.trainer.precision] * max(float(expected.abs().max()), 1e-3)
        return "" if difference <= most else f"its outputs differ by up to {difference:.2g}"

    def gain(self) -> float | None:
        """Return the speed-up by channels_last; None where measuring it takes too long."""
        images = self._affordable()
        if images < min(FEW, len(self.images)):
            return None
        for memory_format in self.times:
            self._step(memory_format, images)
        for turn in range(MOST):
            order = list(self.times) if turn % 2 else list(reversed(self.times))
            for memory_format in order:
                self.times[memory_format].append(self._timed(memory_format, images))
            spent = sum(map(sum, self.times.values()))
            if (turn + 1 >= LEAST and spent >= ENOUGH) or self._seconds_left() < 2 * spent / (turn + 1):
                break
        contiguous, last = (min(times) for times in self.times.values())
        return contiguous / last

    def _affordable(self) -> int:
        """Return the number of images per step with which `STEPS` steps fit into the remaining time.

        A GPU takes nearly as long for two images as for a batch. The time to load its kernels, which training needs
        as well, is not counted.
        """
        if self.trainer.device.type == "cuda":
            self._step("contiguous", len(self.images))
            self.deadline, self.paused_before = time.perf_counter() + LIMIT, paused()
            each = self._timed("contiguous", len(self.images))
            return len(self.images) if STEPS * each < self._seconds_left() else 0
        each = self._timed("contiguous", FEW) / min(FEW, len(self.images))
        return min(len(self.images), int(self._seconds_left() / (STEPS * max(each, 1e-9))))

    def _seconds_left(self) -> float:
        return self.deadline + paused() - self.paused_before - time.perf_counter()

    def _timed(self, memory_format: MemoryFormat, count: int) -> float:
        """Return the seconds of a step: CPU seconds where one CPU thread computes, to exclude other processes."""
        self._arrange(memory_format)
        clock = Clock(self.trainer.device)
        images, targets = arranged(self.images[:count], memory_format), self.targets[:count]
        with clock.running():
            self.trainer.gradients(images, targets)
        self._end_step()
        alone = self.trainer.device.type == "cpu" and torch.get_num_threads() == 1
        return clock.cpu_seconds if alone else clock.seconds

    def _step(self, memory_format: MemoryFormat, count: int) -> Tensor:
        """Take a step; return its loss."""
        self._arrange(memory_format)
        loss, _ = self.trainer.gradients(arranged(self.images[:count], memory_format), self.targets[:count])
        self._end_step()
        return loss

    def _logits(self, memory_format: MemoryFormat) -> Tensor:
        """Return the logits of a few images in evaluation mode."""
        model = arrange(self.trainer.model, memory_format).eval()
        with torch.inference_mode(), autocast(self.trainer.precision, self.images.device):
            logits: Tensor = model(arranged(self.images[:FEW], memory_format))
        return logits.float()

    def _arrange(self, memory_format: MemoryFormat) -> None:
        arrange(self.trainer.model, memory_format)
        self.trainer.train_mode(self.fixed)

    def _end_step(self) -> None:
        """Drop the gradients, which have the format of the step; Preempted if the trial is preempted."""
        self.trainer.optimizer.zero_grad(set_to_none=True)
        if self.pulse():
            raise Preempted


def _release_memory(device: torch.device, model: weakref.ref[nn.Module]) -> None:
    """Release the memory of the rehearsal, so that it is not counted for the training."""
    if model() is not None:  # a collection would copy the pages that the process shares with its fork server
        gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        with contextlib.suppress(RuntimeError):
            torch.cuda.reset_peak_memory_stats(device)
