"""Runs one attempt of one trial from request to outcome; every way it can end is an Outcome."""

import os
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from fersearch import registry as registries
from fersearch.artifacts import Artifacts
from fersearch.components import Architecture
from fersearch.data.arrays import Loaded, Prepared, load
from fersearch.errors import FersearchError, UsageError
from fersearch.registry import Registry
from fersearch.training.batches import Pixels
from fersearch.training.checkpoint import make_card, write_checkpoint
from fersearch.training.errors import Diverged, check_finite
from fersearch.training.freeze import freeze
from fersearch.training.loop import train
from fersearch.training.measure import PeakMemory, device_name
from fersearch.training.precision import resolve
from fersearch.training.progress import Progress
from fersearch.training.request import TrialRequest
from fersearch.training.seeds import derive
from fersearch.training.states import States, disk_full
from fersearch.training.weights import start_from
from fersearch.trial import Decision, Epoch, Outcome, Reason

Report = Callable[[Epoch], Decision]
__all__ = ["TrialRequest", "run_trial"]


def run_trial(request: TrialRequest, report: Report, registry: Registry | None = None) -> Outcome:
    """Build, train, keep: one attempt of a trial in this process.

    `report` gets each epoch and decides. STOP ends it as pruned, INTERRUPT saves its state first;
    both only before the last epoch. A `registry` that is loaded already saves loading it.
    """
    run = _Run(request, report)
    try:
        return run.outcome(registry or registries.load(request.plugins))
    except Exception as error:
        if error is run.unheard:
            raise
        return run.failed(error)


@dataclass
class _Run:
    """One attempt, and what is known of it so far."""

    request: TrialRequest
    report: Report
    started: float = field(default_factory=time.monotonic)
    facts: dict[str, Any] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)
    unheard: Exception | None = None

    def outcome(self, registry: Registry) -> Outcome:
        """Train to the end, or to where the brain stops it."""
        request = self.request
        device = prepare_torch(request.device, request.threads)
        precision = resolve(request.precision, device)
        self.facts |= {"device": request.device, "device_name": device_name(device), "precision": precision}
        self.facts |= {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
        loaded = open_data(request, registry)
        pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, device)
        memory = PeakMemory(device)
        architecture = registry.architecture(request.model)
        model = build(architecture, request, loaded, pixels)
        epochs = train(
            model,
            loaded,
            request.params,
            device=device,
            metrics=registry.metrics,
            objective=request.objective,
            seed=request.seed,
            scratch=Path(request.scratch),
            resume=request.resume,
            precision=precision,
            fixed=freeze(architecture, model, request.params),
            pixels=pixels,
            memory=memory,
            progress=self.progress,
            save_every=request.save_every,
            recorded=request.recorded,
            on_first_step=self.first_step,
        )
        reason = self.follow(epochs)
        if reason is Reason.INTERRUPTED:
            return Outcome(reason, f"saved after epoch {self.progress.epoch}", facts=self.facts)
        return self.keep(reason, loaded, precision, registry)

    def first_step(self) -> None:
        """Note how long it took from the request to the first step, and after which epoch training went on."""
        if "seconds_to_first_step" not in self.facts:
            self.facts["seconds_to_first_step"] = time.monotonic() - self.started
            self.facts["resumed_from"] = self.progress.epoch

    def follow(self, epochs: Generator[Epoch, Decision | None, None]) -> Reason:
        """Report each epoch and do as is decided."""
        for epoch in epochs:
            try:
                decision = self.report(epoch)
            except Exception as error:
                self.unheard = error
                raise
            if decision is Decision.STOP:
                return Reason.PRUNED
            if decision is Decision.INTERRUPT and epoch.number < int(self.request.params["epochs"]):
                with suppress(StopIteration):
                    epochs.send(decision)
                return Reason.INTERRUPTED
        return Reason.DONE

    def keep(self, reason: Reason, loaded: Loaded, precision: str, registry: Registry) -> Outcome:
        """Make the best weights an artifact."""
        progress, scratch = self.progress, Path(self.request.scratch)
        whole = {name for name, metric in registry.metrics.items() if metric.whole_trial or metric.cumulative}
        last = {name: value for name, value in progress.values.items() if name in whole}
        card = make_card(self.request, loaded, progress.best_epoch, {**progress.best_values, **last}, precision)
        file = scratch / "checkpoint.safetensors"
        write_checkpoint(file, States(scratch).best(progress.best_epoch), card)
        self.facts["checkpoint_bytes"] = file.stat().st_size
        try:
            digest = Artifacts(Path(self.request.artifacts)).put(file)
        except OSError as error:
            raise disk_full(error, Path(self.request.artifacts, "checkpoint"), file.stat().st_size) from error
        finally:
            file.unlink()
        return Outcome(reason, kept_epoch=progress.best_epoch, checkpoint=digest, facts=self.facts)

    def failed(self, error: Exception) -> Outcome:
        """The outcome of an error that ended training."""
        if isinstance(error, Diverged):
            return Outcome(Reason.DIVERGED, str(error), facts=self.facts)
        trace = "".join(traceback.format_exception(error))
        if is_out_of_memory(error):
            peak = f"the peak before was {self.progress.peak_bytes / 2**20:.0f} MB"
            message = (
                f"out of memory at batch size {self.request.params.get('batch_size')}: {first_line(error)} ({peak})"
            )
            return Outcome(Reason.OOM, message, trace, facts=self.facts)
        if isinstance(error, OSError):
            error = disk_full(error, Path(error.filename or self.request.scratch), 0)
        told = str(error) if isinstance(error, FersearchError) else f"{type(error).__name__}: {first_line(error)}"
        return Outcome(Reason.ERROR, told, trace, facts=self.facts)


def prepare_torch(name: str, threads: int) -> torch.device:
    """The device of a name, ready to compute the same again: fixed threads, deterministic algorithms.

    Raises:
        UsageError: torch knows no such device, or finds none here.
    """
    torch.set_num_threads(threads)
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"unknown device '{name}'", "give cpu, cuda:0 or mps") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise UsageError(f"device '{name}': torch finds no CUDA device", "train on the CPU: --device cpu")
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return device


def open_data(request: TrialRequest, registry: Registry) -> Loaded:
    """Map what the trial sees of its dataset."""
    params = {**request.dataset_options}
    if "target" in request.params:
        params["target"] = request.params["target"]
    prepared = Prepared.open(Path(request.prepared))
    return load(registry.dataset(request.dataset), prepared, params, request.protocol, request.limit)


def build(architecture: Architecture, request: TrialRequest, loaded: Loaded, pixels: Pixels) -> nn.Module:
    """Build the model under the trial's seed, on its device, and try it on two images.

    Raises:
        FersearchError: building or a first forward pass fails, or gives something else than logits.
        Diverged: the logits of the untrained model are not finite.
    """
    torch.manual_seed(derive(request.seed, "weights"))
    with _told(f"architecture '{architecture.name}' cannot be built"):
        model = architecture.build(request.params, loaded.task)
    if request.weights:
        start_from(architecture, model, request.weights, request.params, loaded.task)
    model.to(pixels.device)
    model.eval()
    images = pixels.take(pixels.rows(loaded.indices["train"][:2]))
    with _told(f"architecture '{architecture.name}' fails on images {tuple(images.shape)}"), torch.inference_mode():
        logits = model(images)
    check_logits(architecture, logits, (len(images), loaded.task.num_classes))
    return model


def check_logits(architecture: Architecture, logits: object, wanted: tuple[int, int]) -> None:
    """Raise unless a model returned finite logits of the wanted shape (n, classes)."""
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else None
    if shape != wanted:
        got = _in_words(shape, wanted[0]) if shape is not None else f"a {type(logits).__name__}"
        message = f"architecture '{architecture.name}' returned {got}, expected {_in_words(wanted, wanted[0])}"
        raise FersearchError(message, "build must give a model from images (n, channels, size, size) to (n, classes)")
    check_finite(cast(torch.Tensor, logits), f"the output of the untrained '{architecture.name}'")


def _in_words(shape: tuple[int, ...], count: int) -> str:
    return f"({', '.join('n' if size == count and not axis else str(size) for axis, size in enumerate(shape))})"


@contextmanager
def _told(what: str) -> Iterator[None]:
    try:
        yield
    except (FersearchError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise FersearchError(f"{what}: {type(error).__name__}: {first_line(error)}") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory ran out; torch's CPU allocator has no class for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    return (str(error).strip().splitlines() or [""])[0]
