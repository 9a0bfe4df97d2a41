"""One run of a study by the process that holds its lease: prepare the data, rebuild the search, run the engine."""

import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fersearch.artifacts import Artifacts
from fersearch.components import Task
from fersearch.context import components_of, was_reported
from fersearch.data.prepared import Prepared
from fersearch.data_findings import check_taught, findings
from fersearch.engines import devices
from fersearch.engines.backends import Backend
from fersearch.engines.figures import Figures
from fersearch.engines.formats import Formats
from fersearch.engines.local import Callbacks, LocalEngine
from fersearch.engines.memory_bounds import MemoryBounds
from fersearch.engines.outages import Outages, stopped
from fersearch.engines.placement import FixedPlacement, Placement
from fersearch.engines.processes import Pool
from fersearch.engines.requests import discard, forget, request_for
from fersearch.engines.shutdown import Level, Stop
from fersearch.engines.single import run_in_process
from fersearch.errors import FersearchError, StudyBusy
from fersearch.home import artifacts_folder, log_folder, run_folder, states_url
from fersearch.observer import Observer
from fersearch.planning.parts import check_weights
from fersearch.registry import Registry
from fersearch.run_options import RunOptions
from fersearch.search.brain import Search
from fersearch.search.recipes import first_trials
from fersearch.search.samplers import judged_epochs
from fersearch.store import Lease, Store, StudyRow, Writer
from fersearch.store.control import ENQUEUE, PAUSE, SLOTS, STOP
from fersearch.store.records import Request
from fersearch.study import FINISH, REFIT, StudyState
from fersearch.study_data import StudyData, open_study_data, settle
from fersearch.training.baseline import mean_baseline, predictive
from fersearch.training.request import TrialRequest
from fersearch.trial import Enqueued, Epoch, Trial, of_data

PRELOAD = ("torch", "torch._dynamo", "sklearn.metrics", "fersearch.engines.child")
PACKAGES = ("fersearch", "numpy", "optuna", "pillow", "scikit-learn", "sqlalchemy", "torch", "torchvision")
HOUSEKEEPING_SECONDS = 2.0


class Interrupted(FersearchError):
    """The study was stopped by a signal or a request; all results so far are stored."""

    exit_code = 130


class Driver:
    """One run of a study by the holder of its lease."""

    def __init__(
        self,
        store: Store,
        study: StudyRow,
        backend: Backend,
        options: RunOptions,
        observer: Observer,
        lease: Lease,
        seconds: float | None,
    ) -> None:
        self.store, self.backend, self.observer, self.seconds, self.lease = store, backend, observer, seconds, lease
        self.options = options
        self.artifacts = artifacts_folder(options.artifacts)
        self.registry = components_of(study)
        self.study = study
        self.stop = Stop()
        self.outages = Outages(self.observer.note, self.stop)
        self._noted = self._looked = time.monotonic()
        self._prepared: Prepared | None = None
        self._rounds = 1
        self._placement: Placement | None = None
        self._claimed: list[int] = []
        self._requested = StudyState.IDLE
        self.on_settled: Callable[[], None] = lambda: None
        self.over = False

    def run(self) -> None:
        """Prepare the data and run the engine to its end; call `on_settled` once the data is accepted."""
        spec, in_process = self.study.spec, self.options.in_process
        check_weights([self.registry.architecture(name) for name in spec.architectures], spec.weights)
        pool = self.backend.make_pool(to_preload(self.registry, self.study), hung_after=self.options.hung_after)
        with nullcontext() if in_process else self.stop.listening():
            try:
                if not in_process:
                    pool.warm_up()
                self._prepare()
                writer = self.outages.retry(lambda: self.store.writer(self.study.id, self.lease))
                with writer as self._writer, self.store.control(self.study.id) as self._control:
                    writer.study_changed("state", {"state": StudyState.RUNNING})
                    self._search(writer, pool, in_process)
                    writer.study_changed("state", {"state": self.state_after})
            finally:
                for module, error in pool.failed_preloads.items():
                    self.observer.note(f"every trial loads {module} itself, because it could not be preloaded: {error}")
                pool.close()
                self.observer.end()
        if self.lease.lost:
            raise StudyBusy(f"study '{self.study.name}' was taken over by another driver", "this run has stopped")
        if self.outages.stopped:
            raise stopped(self.study.name)
        if self.stop.by_signal:
            raise Interrupted(
                f"interrupted; the progress of study '{self.study.name}' is kept",
                f"continue with: fersearch study run {self.study.name}",
            )

    @property
    def state_after(self) -> StudyState:
        """The state of the study after the run."""
        if self.over:
            return StudyState.COMPLETE
        return self._requested

    def _prepare(self) -> None:
        spec = self.study.spec
        data = open_study_data(self.registry, self.study, self.options.data, self.observer.preparing)
        self._settle(data, self.options.accept_data_change)
        self.on_settled()
        self._prepared = data.prepared
        check_taught(spec.dataset, data.loaded)
        for line in findings(data.prepared, data.loaded):
            if not was_reported(line):
                self.observer.note(line)
        for warning in data.loaded.warnings:
            self.observer.note(f"warning: {warning}")
        if spec.weights:
            self._fetch_weights(spec.weights, data.loaded.task)
        self._rounds, self._task = data.loaded.rounds, data.loaded.task
        if any(name not in self.study.baseline for name in predictive(self.registry)):
            baseline = {**mean_baseline(self.registry, data.rounds()), **self.study.baseline}
            self.outages.retry(lambda: self.store.set_baseline(self.study.id, baseline))
            self.study = replace(self.study, baseline=baseline)
        self.outages.retry(lambda: self.store.environment(self.study.id, environment()))

    def _settle(self, data: StudyData, accept_change: bool) -> None:
        """Compare the data with that of the study's start and record it; DataError for other data."""
        study = self.study
        settled = settle(
            study, data.identity, lambda: self.outages.retry(lambda: self.store.trials(study.id)), accept_change
        )
        for note in settled.notes:
            self.observer.note(note)
        baseline = study.baseline if settled.baseline is None else settled.baseline
        self.outages.retry(lambda: self.store.set_data(study.id, settled.record, settled.renamed, baseline))
        self.study = replace(study, data=settled.record, baseline=baseline)

    def _fetch_weights(self, source: str, task: Task) -> None:
        from fersearch.training.weights import fetch

        self.observer.note(f"starting from weights {source}")
        for name, params in self.study.spec.examples():
            fetch(self.registry.architecture(name), source, params, task)

    def _begin(self, writer: Writer) -> tuple[Search, list[Trial]]:
        """Return the search, rebuilt from its rows, with the configurations to try first; and its trials so far."""
        trials = self.outages.retry(lambda: self.store.trials(self.study.id, self.study.spec.compared))
        history = self.outages.retry(lambda: epochs_to_resume(self.store, self.study, trials, self._rounds))
        prior = self.outages.retry(lambda: self.store.prior(self.study.id)) if self.study.spec.origin else ()
        digest, metrics = self.study.data_digest, self.registry.metrics
        self._figures = Figures(self.study.spec, self._task, metrics, of_data(trials, digest))
        for other in (trial for trial in trials if not trial.state.ended and not trial.saw(digest)):
            self._forget(other)
        search = Search(
            self.study,
            trials,
            history,
            writer,
            self.registry.metrics,
            self.study.baseline,
            self._rounds,
            self._discard,
            digest,
            self.observer.note,
            prior,
        )
        for configuration in self.outages.retry(lambda: self.store.enqueued(self.study.id)):
            search.enqueue(configuration)
        if not trials:
            search.begin_with(first_trials(self.study.spec, self._at_once))
        return search, trials

    @property
    def _at_once(self) -> int:
        """The number of trials that run at once."""
        return len(self.backend.slots if self.backend.only is None else self.backend.only)

    def _search(self, writer: Writer, pool: Pool, in_process: bool) -> None:
        search, trials = self._begin(writer)
        self._brain, self._formats = search, Formats(trials, self.observer.note)
        settle = partial(self._formats.settle, search)
        ended = [trial for trial in trials if trial.state.ended]
        self.observer.begin(self.study, self.study.spec.budget.trials, ended, self._at_once, self._rounds)
        if in_process:
            slot = self.backend.slots[0]
            callbacks = Callbacks(self._request, self._log, settle=settle, forget=self._forget, watch=self._look)
            run_in_process(search, slot, callbacks, self.observer, self.stop)
            self._note_time()
            return
        memory = MemoryBounds(self.study.spec.where, of_data(trials, self.study.data_digest))
        self._placement = placement = self.backend.placement(
            pool, self._request, self._log, self.observer.note, trials, memory
        )
        self._record_slots()
        self._monitor = self.backend.monitor(placement, self.observer.note)
        self._monitor.look()
        callbacks = Callbacks(
            self._request,
            self._log,
            refuse=lambda trial: self._figures.refusal(trial) or memory.refusal(trial),
            settle=settle,
            forget=self._forget,
            watch=self._watch,
        )
        LocalEngine(
            search,
            placement,
            pool,
            callbacks,
            self.observer,
            self.stop,
            seconds=self.seconds,
            grace=self.options.grace,
            advice=advice(self.study.name, self.options),
        ).run()
        self._note_time()
        self.over = search.done
        if self.over:
            if search.end_reason and search.ended == len(ended):  # otherwise it was reported as the last trial ended
                how = f"change it with: fersearch study extend {self.study.name}"
                self.observer.note(f"the search ended before: {search.end_reason}; {how}")
            self.outages.retry(lambda: self.store.set_finished(self.study.id, search.end_reason))

    def _request(self, trial: Trial, slot: devices.Slot) -> TrialRequest:
        assert self._prepared is not None  # no trial is requested before it is ready
        figures = self._figures.of(trial)
        return request_for(self.study, trial, self._prepared, slot, self.artifacts, self._formats.known, figures)

    def _log(self, trial: Trial) -> Path:
        return log_folder(self.study.uid) / f"{trial.number}-{len(trial.attempts)}.log"

    def _forget(self, trial: Trial) -> None:
        self._figures.learn(trial)
        url = states_url(self.study.uid, trial.number, self.artifacts)
        self._writer.after_commit(partial(forget, run_folder(self.study.uid, trial.number), url))

    def _discard(self, digest: str) -> None:
        self._writer.after_commit(partial(discard, self.store, Artifacts(self.artifacts), digest))

    def _watch(self) -> None:
        self._monitor.look()
        self._look()

    def _look(self) -> None:
        """Apply signals, requests and outages that stop the running trials."""
        if self.lease.lost:
            self.stop.ask(Level.NOW)
        self.outages.look(self._writer)
        for line in self.store.repaired():
            self.observer.note(line)
        now = time.monotonic()
        if now - self._looked >= HOUSEKEEPING_SECONDS:
            self._looked = now
            self._note_time()
        for request in self._control.take():
            self._carry_out(request)
        self._record_slots()

    def _carry_out(self, request: Request) -> None:
        """Carry out a request of another command."""
        if request.kind in (STOP, PAUSE):
            self.observer.note(f"asked to {request.kind}: running trials finish their epoch and are saved")
            self.stop.ask(Level.AFTER_EPOCH)
            self._requested = StudyState.PAUSED if request.kind == PAUSE else StudyState.STOPPED
        elif request.kind == ENQUEUE:
            self._brain.enqueue(Enqueued(**request.payload))
        elif request.kind == SLOTS and isinstance(self._placement, FixedPlacement):
            self._placement.restrict(request.payload["slots"])

    def _record_slots(self) -> None:
        """Record the slots that the run holds, if they have changed."""
        claimed = self._placement.claimed if isinstance(self._placement, FixedPlacement) else self._claimed
        if claimed != self._claimed:
            self._claimed = claimed
            self._writer.study_changed("slots", {"held": claimed})

    def _note_time(self) -> None:
        now = time.monotonic()
        self._writer.add_seconds(now - self._noted)
        self._noted = now


def to_preload(registry: Registry, study: StudyRow) -> list[str]:
    """Return the modules to preload: the trainer's, the plugins', and those in the components' `preload`."""
    spec = study.spec
    architectures = map(registry.architecture, spec.architectures)
    used = [*architectures, registry.dataset(spec.dataset), *registry.metrics.values()]
    modules = dict.fromkeys(type(component).__module__ for component in used)
    named = [name for module in modules for name in getattr(sys.modules.get(module), "preload", ())]
    return [*PRELOAD, *registry.modules, *named]


def advice(study: str, options: RunOptions) -> str:
    """Return how to time a front alone, for a note; empty where the run does so, or retrains another's trials."""
    if options.exclusive_timing or study.startswith((f"{FINISH}/", f"{REFIT}/")):
        return ""
    return f"to time the front alone: fersearch study run {study} --exclusive-timing"


def environment() -> dict[str, Any]:
    """Return the driver's host, cores, platform, Python and the versions of packages that affect results."""
    from importlib.metadata import version

    packages = {name: version(name) for name in PACKAGES}
    return {
        "role": "driver",
        "host": platform.node(),
        "platform": platform.platform(),
        "cores": devices.cores(),
        "python": platform.python_version(),
        "packages": packages,
    }


def epochs_to_resume(store: Store, study: StudyRow, trials: Sequence[Trial], rounds: int) -> dict[int, list[Epoch]]:
    """Return the epochs that a search resumes from: all of unfinished trials, else those that the pruner compares."""
    ended = {trial.number for trial in trials if trial.state.ended}
    epochs = {trial.number: store.history(study.id, trial.number) for trial in trials if trial.number not in ended}
    compared = judged_epochs(study.spec, rounds)
    if compared is None or compared:
        names = [objective.metric for objective in study.spec.objectives]
        epochs |= store.epoch_values(study.id, names, of=ended, at=compared)
    return epochs
