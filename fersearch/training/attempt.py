"""One attempt of one trial, from request to outcome; every way in which it can end is an Outcome."""

import logging
import shutil
import time
import traceback
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fersearch import registry as registries
from fersearch.artifacts import Artifacts
from fersearch.components import Task
from fersearch.registry import Registry
from fersearch.training.augment import as_evaluated
from fersearch.training.batches import Pixels
from fersearch.training.bounds import BoundsCheck, OutOfBounds
from fersearch.training.checkpoint import make_card, write_checkpoint
from fersearch.training.context import TrainingContext
from fersearch.training.freezing import freeze
from fersearch.training.latency import Quiet, Stopwatch, alone, in_torch
from fersearch.training.loop import train
from fersearch.training.measure import ModelFigures, PeakMemory, device_name
from fersearch.training.memory import gpu_memory_facts
from fersearch.training.memory_format import MemoryFormat
from fersearch.training.model import build, open_data, prepare_torch
from fersearch.training.numerics import Diverged, Precision, describe_error, first_line, is_out_of_memory, resolve
from fersearch.training.preemption import Preempted, Pulse, unwatched
from fersearch.training.rehearsal import Settle, Subject, settled_format
from fersearch.training.request import TrialRequest
from fersearch.training.rounds import Epochs, Round, Rounds, seed_of
from fersearch.training.scratch import locked
from fersearch.training.snapshots import DiskFull, Mirror, disk_full
from fersearch.training.stamp import Stamp, Unusable, stamp_of
from fersearch.trial import Decision, Epoch, Lost, Outcome, Reason

Report = Callable[[Epoch], Decision]
__all__ = ["TrialRequest", "run_trial"]
log = logging.getLogger(__name__)


def run_trial(
    request: TrialRequest,
    report: Report,
    registry: Registry | None = None,
    pulse: Pulse = unwatched,
    notify: Callable[[str], None] = lambda _: None,
    saved: Callable[[], None] = lambda: None,
    settle: Settle = lambda rehearsal: str(rehearsal["memory_format"]),
    quiet: Quiet = alone,
) -> Outcome:
    """Run one attempt of a trial in this process: build the model, train it, write its checkpoint.

    Args:
        request: the attempt to run.
        report: called with each epoch; returns the decision on it. STOP ends the attempt as pruned, INTERRUPT saves
            its state and ends it; both apply only before the last epoch.
        registry: the plugins of the request, where they are loaded already.
        pulse: called between steps; when it returns True, the attempt saves its state, if it has a new one, and ends.
        say: called once with the reason why the trial cannot resume from the state of an earlier attempt.
        saved: called after each new state was saved.
        settle: called with the result of a rehearsal, or with shape and format alone where the study has decided on
            the format already; returns the memory format to use.
        quiet: measures the latency while no other trial runs, where trials are compared by it.
    """
    run = _Run(request, report, pulse, notify, saved, settle, quiet)
    try:
        with locked(request, pulse, run.note, run.give_up) as run.request:
            outcome = run.outcome(registry or registries.load(request.plugins))
        outcome = run.with_figures(outcome)
        return run.without_state(outcome) if run.gave_up else outcome
    except Preempted:
        return Outcome(Reason.INTERRUPTED, "stopped before it began", facts=run.facts)
    except Exception as error:
        if error is run.unreported:
            raise
        return run.with_figures(run.outcome_of_error(error))


@dataclass
class _Run:
    """One attempt and its progress."""

    request: TrialRequest
    report: Report
    pulse: Pulse = unwatched
    notify: Callable[[str], None] = lambda _: None
    saved: Callable[[], None] = lambda: None
    settle: Settle = lambda rehearsal: str(rehearsal["memory_format"])
    quiet: Quiet = alone
    notes: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    facts: dict[str, Any] = field(default_factory=dict)
    memory_format: MemoryFormat = "contiguous"
    stamp: Stamp = field(default_factory=dict)
    rounds: Rounds = field(default_factory=lambda: Rounds(Path(), 0))
    memory: PeakMemory | None = None
    mirror: Mirror = field(default_factory=lambda: Mirror("", Path()))
    unreported: Exception | None = None
    gave_up: bool = False
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    figures: ModelFigures = field(default_factory=ModelFigures)

    def outcome(self, registry: Registry) -> Outcome:
        """Train until the last epoch, or until the brain stops the trial."""
        request = self.request
        device = prepare_torch(request.device, request.threads)
        precision = resolve(request.precision, device)
        self.facts |= {"device": request.device, "device_name": device_name(device), "precision": precision}
        self.facts |= {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
        self.stopwatch = self.make_stopwatch()
        self.figures = ModelFigures(dict(request.figures))
        self.mirror = Mirror(request.states, Path(request.scratch))
        if request.resume:
            self.mirror.fetch()
        loaded = open_data(request, registry)
        self.stamp = stamp_of(request, loaded.digest)
        architecture = registry.architecture(request.architecture)
        check = self.bounds(registry, loaded.task, trained=False)
        subject = Subject(request, architecture, loaded, device, precision)
        self.memory_format = settled_format(subject, self.settle, self.pulse, check)
        self.facts["memory_format"] = self.memory_format
        self.rounds = self.new_rounds(loaded.rounds)
        try:
            reason = self.resume_or_restart(lambda: self.epochs(registry, device, precision))
            if reason is not Reason.INTERRUPTED:
                return self.store_best(reason, precision, registry)
        except Preempted:
            pass
        except Unusable as loss:
            self.clear_states()
            self.note(f"its best weights were lost, and it begins again: {loss}")
            return Outcome(Reason.INTERRUPTED, self.message(), facts={**self.facts, "lost": Lost.DISK.value})
        return Outcome(Reason.INTERRUPTED, self.message(self.position()), facts=self.facts)

    def new_rounds(self, total: int) -> Rounds:
        """Return the trial's rounds, which resume from the states in scratch that carry this trial's stamp."""
        return Rounds(Path(self.request.scratch), total, self.stamp, self.request.attempt)

    def resume_or_restart(self, epochs: Callable[[], Epochs]) -> Reason:
        """Resume from the states of earlier attempts; if they are unusable, note why and train from the beginning."""
        if self.request.resume:
            try:
                self.rounds.check()
                if self.request.recorded and not self.rounds.begun:
                    raise Unusable(f"no state of it is kept in {self.request.scratch}")
                return self.report_epochs(epochs())
            except Unusable as miss:
                self.note(f"it began again: {miss}")
        self.clear_states()
        self.request = replace(self.request, recorded=0, recorded_by_attempt=())
        self.rounds = self.new_rounds(self.rounds.total)
        return self.report_epochs(epochs())

    def clear_states(self) -> None:
        """Remove all states of earlier attempts."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.request.scratch)

    def note(self, text: str) -> None:
        """Log a text, pass it to `notify`, and add it to the message of the outcome."""
        logging.getLogger(__name__).warning(text)
        self.notes.append(text)
        self.notify(text)

    def position(self) -> str:
        """Return the position at which the trial was saved, and the problem of its copy at the URL, if any."""
        current = self.rounds.current
        where = "inside" if current.progress.within else "after"
        number = current.before + current.progress.epoch + current.progress.within
        trouble = f"; {self.mirror.trouble}" if self.mirror.trouble else ""
        return f"saved {where} epoch {number}{trouble}"

    def give_up(self) -> None:
        """Record that the states of this attempt were removed when it ended."""
        self.gave_up = True

    def without_state(self, outcome: Outcome) -> Outcome:
        """Return the outcome of an attempt whose states were removed, so that no later attempt resumes from it."""
        if outcome.reason is not Reason.INTERRUPTED or "lost" in outcome.facts:
            return outcome
        return replace(outcome, message=self.message("its state could not be kept: the trial begins again"))

    def message(self, text: str = "") -> str:
        """Return a text followed by the notes so far, joined by semicolons."""
        return "; ".join(filter(None, (text, *self.notes)))

    def epochs(self, registry: Registry, device: torch.device, precision: Precision) -> Epochs:
        """Train round after round and yield each epoch; of a finished round, only epochs that were never reported."""
        for round in self.rounds:
            pending = (
                round.unreported(self.recorded(round)) if round.over else self.train(round, registry, device, precision)
            )
            if (yield from _until_interrupted(round.numbered(pending))) or round.progress.within:
                return
            self.rounds.finish(round)
            self.mirror.push()

    def train(self, round: Round, registry: Registry, device: torch.device, precision: Precision) -> Epochs:
        """Return the epochs of one round."""
        request = replace(self.request, seed=seed_of(self.request.seed, round.number))
        loaded = open_data(request, registry, round.number)
        pixels = Pixels.of(loaded.images, loaded.mean, loaded.std, device, self.memory_format)
        memory = self.memory = PeakMemory(device)
        architecture = registry.architecture(request.architecture)
        model = build(architecture, request, loaded, pixels)
        if not round.before and not round.progress.epoch:
            self.bounds(registry, loaded.task, trained=True)(model, pixels)
        context = TrainingContext(
            device=device,
            metrics=registry.metrics,
            objective=request.objective,
            seed=request.seed,
            scratch=round.folder,
            resume=request.resume,
            precision=precision,
            fixed=freeze(architecture, model, request.params),
            pixels=pixels,
            memory=memory,
            progress=round.progress,
            save_every=request.save_every,
            recorded=lambda: self.recorded(round),
            stamp=self.stamp,
            on_first_step=self.on_first_step,
            on_snapshot=self.on_saved,
            pulse=self.pulse,
            micro_batches=max(request.micro_batches, int(self.facts.get("micro_batches", 1))),
            facts=self.facts,
            stopwatch=self.stopwatch,
            figures=self.figures,
        )
        return train(model, loaded, request.params, context)

    def bounds(self, registry: Registry, task: Task, trained: bool) -> Callable[[nn.Module, Pixels], None]:
        """Return a check to call before the first step, which raises OutOfBounds if a model breaks a bound.

        `trained` says whether that model is the one that is trained afterwards.
        """
        if not self.request.where:
            return lambda *_: None
        check_bounds = BoundsCheck(self.request.where, registry.metrics, task, self.stopwatch, self.figures)

        def check(model: nn.Module, pixels: Pixels) -> None:
            try:
                check_bounds(as_evaluated(model, self.request.params), pixels, trained)
            finally:
                self.facts |= {"latency": self.stopwatch.facts} if self.stopwatch.facts else {}

        return check

    def with_figures(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the figures of the model among its facts, unless the study knew all of them."""
        if self.figures.known == self.request.figures:
            return outcome
        return replace(outcome, facts={**outcome.facts, "figures": self.figures.known})

    def make_stopwatch(self) -> Stopwatch:
        """Return the stopwatch for the latency of the model in torch, or of the exported model."""
        counts, on_torch = self.request.latency_counts, self.request.latency_on == "torch"
        if on_torch:
            return Stopwatch(in_torch, self.quiet, counts, torch.get_num_threads())
        from fersearch.training.onnx_graph import in_onnx

        return Stopwatch(partial(in_onnx, name=self.request.architecture), self.quiet, counts)

    def recorded(self, round: Round) -> int:
        """Return how many epochs of a round the driver has recorded."""
        return max(0, self.request.recorded_since(round.progress.since) - round.before)

    def on_saved(self) -> None:
        """Push a new state to the URL of the trial's states, and call `saved`."""
        self.mirror.push()
        self.saved()

    def on_first_step(self) -> None:
        """Record the seconds from the request to the first step, and the epoch after which training resumed."""
        if "seconds_to_first_step" not in self.facts:
            current = self.rounds.current
            self.facts["seconds_to_first_step"] = time.monotonic() - self.started
            self.facts["resumed_from"] = current.before + current.progress.epoch

    def report_epochs(self, epochs: Epochs) -> Reason:
        """Report each epoch and carry out the decision on it."""
        for epoch in epochs:
            best = self.rounds.current.kept_epoch == epoch.number
            log_epoch(epoch, int(self.request.params["epochs"]), self.rounds.total, best)
            try:
                decision = self.report(epoch)
            except Exception as error:
                self.unreported = error
                raise
            if decision is Decision.STOP:
                return Reason.PRUNED
            over = epoch.last and epoch.round == self.rounds.total
            if decision is Decision.INTERRUPT and not over:
                with suppress(StopIteration):
                    epochs.send(decision)
                return Reason.INTERRUPTED
        return Reason.INTERRUPTED if self.rounds.current.progress.within else Reason.DONE

    def store_best(self, reason: Reason, precision: Precision, registry: Registry) -> Outcome:
        """Store the best weights as an artifact, unless the trial was pruned and the study keeps none of those."""
        self.facts |= gpu_memory_facts(self.request.device)
        best = self.rounds.best
        if reason is Reason.PRUNED and not self.request.keep_pruned:
            return Outcome(reason, self.message(), kept_epoch=best.kept_epoch, facts=self.facts)
        loaded = open_data(self.request, registry, best.number)
        whole = {name for name, metric in registry.metrics.items() if metric.whole_trial or metric.cumulative}
        last = {name: value for name, value in best.progress.values.items() if name in whole}
        values = {**best.progress.best_values, **last}
        card = make_card(self.request, loaded, best, values, precision, self.memory_format)
        file = Path(self.request.scratch) / "checkpoint.safetensors"
        write_checkpoint(file, self.rounds.weights(), card)
        self.facts["checkpoint_bytes"] = file.stat().st_size
        try:
            digest = Artifacts(self.request.artifacts).put(file, self.request.owner)
        except OSError as error:
            raise disk_full(error, Path(self.request.artifacts, "checkpoint"), file.stat().st_size) from error
        finally:
            file.unlink()
        return Outcome(reason, self.message(), kept_epoch=best.kept_epoch, checkpoint=digest, facts=self.facts)

    def outcome_of_error(self, error: Exception) -> Outcome:
        """Return the outcome of an error that ended training."""
        if isinstance(error, OutOfBounds):
            return Outcome(Reason.INFEASIBLE, str(error), facts={**self.facts, "measured": error.measured})
        if isinstance(error, Diverged):
            return Outcome(Reason.DIVERGED, str(error), facts=self.facts)
        trace = "".join(traceback.format_exception(error))
        if is_out_of_memory(error):
            return Outcome(Reason.OOM, self.lacking(error), trace, facts=self.facts)
        if isinstance(error, OSError):
            error = disk_full(error, Path(error.filename or self.request.scratch), 0)
        reason = Reason.ERROR
        if isinstance(error, DiskFull):
            reason = Reason.INTERRUPTED
            self.facts |= {"lost": Lost.DISK.value, "lacking_disk": error.lacking}
        return Outcome(reason, describe_error(error), trace, facts=self.facts)

    def lacking(self, error: Exception) -> str:
        """Return the message of an out-of-memory error, with batch size, micro-batches and peak memory."""
        parts = int(self.facts.get("micro_batches", 1))
        cut = f", even in {parts} parts" if parts > 1 else ""
        size, peak = (
            self.request.params.get("batch_size"),
            max(self.rounds.peak_bytes, self.memory.peak if self.memory else 0),
        )
        message = f"out of memory at batch size {size}{cut}: {first_line(error) or type(error).__name__}"
        return f"{message} (the peak before was {peak / 2**20:.0f} MB)"


def _until_interrupted(epochs: Epochs) -> Generator[Epoch, Decision | None, bool]:
    """Pass epochs and decisions on; return whether the last decision was INTERRUPT."""
    decision = None
    while True:
        try:
            epoch = epochs.send(decision)
        except StopIteration:
            return decision is Decision.INTERRUPT
        decision = yield epoch


def log_epoch(epoch: Epoch, planned: int, rounds: int, best: bool) -> None:
    """Log an epoch in one line: losses and accuracies of train and validation, seconds, whether it is the best."""
    position = f"round {epoch.round}/{rounds}, " if rounds > 1 else ""
    named = {
        "train loss": "train_loss",
        "accuracy": "train_accuracy",
        "valid loss": "valid_loss",
        "valid accuracy": "accuracy",
    }
    figures = ", ".join(f"{name} {epoch.values[key]:.4f}" for name, key in named.items() if key in epoch.values)
    best_so_far = "; the best so far: saving its weights" if best else ""
    log.info(
        "%sepoch %d of %d: %s, %.1f s%s", position, epoch.number, planned * rounds, figures, epoch.seconds, best_so_far
    )
