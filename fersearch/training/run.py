"""Runs one attempt of one trial from request to outcome; every way it can end is an Outcome."""

import time
import traceback
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from fersearch import registry as registries
from fersearch.artifacts import Artifacts
from fersearch.data.arrays import Loaded
from fersearch.errors import FersearchError
from fersearch.registry import Registry
from fersearch.training.batches import Pixels
from fersearch.training.building import build, open_data, prepare_torch
from fersearch.training.checkpoint import make_card, write_checkpoint
from fersearch.training.errors import Diverged, first_line, is_out_of_memory
from fersearch.training.freeze import freeze
from fersearch.training.loop import train
from fersearch.training.measure import PeakMemory, device_name
from fersearch.training.precision import resolve
from fersearch.training.progress import Progress
from fersearch.training.request import TrialRequest
from fersearch.training.states import States, disk_full
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
