"""Running a study: everything that must be in place before the first trial, and the engine's frame."""

import math
import platform
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from fersearch.api.after import follow_up
from fersearch.api.bodies import Body, body, check_run
from fersearch.api.context import components_of, open_store, was_told
from fersearch.api.data_findings import check_taught, findings
from fersearch.api.garbage import discard
from fersearch.api.outages import Outages, stopped
from fersearch.api.plan import check_weights
from fersearch.api.requests import forget, request_for
from fersearch.api.studies import StudyView, view
from fersearch.api.study_data import StudyData, open_study_data, settle
from fersearch.blame import score
from fersearch.components import Evaluation, Metric, Task
from fersearch.data.prepared import Prepared
from fersearch.engines import devices
from fersearch.engines.local import LocalEngine, Observer, run_in_process
from fersearch.engines.pool import Pool
from fersearch.engines.stop import GRACE, Level, Stop
from fersearch.engines.watchdog import HUNG_AFTER
from fersearch.errors import FersearchError, StudyBusy, UsageError
from fersearch.home import log_folder, run_folder, states_url
from fersearch.registry import Registry
from fersearch.search.brain import Search
from fersearch.search.build import judged_epochs
from fersearch.store import Lease, Store, StudyRow, Writer
from fersearch.study import Budget, Keep
from fersearch.training.request import TrialRequest
from fersearch.trial import Epoch, Trial

PRELOAD = ("torch", "torch._dynamo", "sklearn.metrics", "fersearch.engines.child")
PACKAGES = ("fersearch", "numpy", "optuna", "pillow", "scikit-learn", "sqlalchemy", "torch", "torchvision")
HOUSEKEEPING_SECONDS = 2.0


class Interrupted(FersearchError):
    """Somebody stopped the study; everything so far is kept."""

    exit_code = 130


def run_study(
    name: str,
    *,
    slots: int | None = None,
    slots_per_gpu: int | str | None = None,
    threads_per_slot: int | None = None,
    trials: int | None = None,
    timeout: float | None = None,
    keep: str | None = None,
    data: Path | None = None,
    accept_data_change: bool = False,
    in_process: bool = False,
    engine: str = "local",
    ray_address: str | None = None,
    hung_after: float = HUNG_AFTER,
    grace: float = GRACE,
    exclusive_timing: bool = False,
    observer: Observer | None = None,
    storage: str | None = None,
) -> StudyView:
    """Run a study until its budget is used, going on where it stopped; then do what it asks for after its end.

    Args:
        slots: trials at once; default one per GPU, or one per core without a GPU.
        slots_per_gpu: trials at once on each GPU, or `auto`: as many as fit by their memory.
        threads_per_slot: CPU threads of each trial; default the cores shared out among the slots.
        trials: the study's new total of trials.
        timeout: seconds for this run; default what is left of the study's own.
        keep: whose checkpoints the study keeps from here on: `front`, `all` or `best N`.
        data: where the study's data is now, if that is not where it was.
        accept_data_change: go on where the data is other than what the study began with: what trials did on the
            earlier data is not compared with what comes, and those that have not ended begin again.
        in_process: run one trial in this very process, for a debugger.
        engine: `local` (this machine), or `ray` (a cluster).
        ray_address: with ray: `auto`, HOST:PORT, or `local` (the default: start one here).
        hung_after: seconds without a sign of life after which a trial's process is ended and run again; 0 never.
        grace: seconds that each trial has after SIGTERM to save where it is and leave.
        exclusive_timing: at the end train each member of the front again, alone, for its `exclusive_train_seconds`.

    Raises:
        UsageError: an argument makes no sense.
        StudyBusy: another living driver runs it.
        Interrupted: Ctrl-C or SIGTERM; the study can go on.
        DataError: the data is missing or broken, or other than what the study began with; nothing was changed then.
    """
    policy = None if keep is None else Keep.parse(keep)
    how: dict[str, Any] = {
        "slots": slots,
        "slots_per_gpu": slots_per_gpu,
        "threads_per_slot": threads_per_slot,
        "engine": engine,
        "ray_address": ray_address,
        "hung_after": hung_after,
        "grace": grace,
    }
    check_run(**how, in_process=in_process, exclusive_timing=exclusive_timing)
    observer = observer or Observer()
    with open_store(storage) as store:
        study = store.study(name)
        study, store_wishes = _with_wishes(store, study, trials, policy)
        seconds = _seconds_left(study, timeout)
        with (
            Lease.take(store, study.id, study.name) as lease,
            body(engine, ray_address, slots, slots_per_gpu, threads_per_slot, observer.note) as where,
        ):
            patient_pool = partial(where.make_pool, hung_after=hung_after)
            run = _Run(store, study, where, patient_pool, observer, seconds, lease, grace)
            run.take_data(data, accept_data_change, store_wishes)
            run.go(in_process)
        if run.over:
            again = partial(run_study, **how, observer=observer, storage=storage)
            follow_up(name, storage, again, observer.note)
            if exclusive_timing:
                from fersearch.api.exclusive import time_front  # here, for it imports this module

                time_front(name, storage, observer.note)
        return view(store, store.study(name))


class _Run:
    """One run of a study by the holder of its lease."""

    def __init__(
        self,
        store: Store,
        study: StudyRow,
        where: Body,
        make_pool: Callable[[Sequence[str]], Pool],
        observer: Observer,
        seconds: float | None,
        lease: Lease,
        grace: float,
    ) -> None:
        self.store, self.where, self.observer, self.seconds, self.lease = store, where, observer, seconds, lease
        self.make_pool, self.grace = make_pool, grace
        self.registry = components_of(study)
        self.study = study
        self.stop = Stop()
        self.outages = Outages(self.observer.note, self.stop)
        self._noted = self._looked = time.monotonic()
        self._prepared: Prepared | None = None
        self._rounds = 1
        self._data: tuple[Path | None, bool] = (None, False)
        self._on_settled: Callable[[], None] = lambda: None
        self.over = False

    def take_data(self, given: Path | None, accept_change: bool, on_settled: Callable[[], None]) -> None:
        """Look for the data at a path, go on with other data if told so; `on_settled` is called once it is settled."""
        self._data, self._on_settled = (given, accept_change), on_settled

    def go(self, in_process: bool) -> None:
        """Prepare, then run the engine to its end."""
        spec = self.study.spec
        check_weights(self.registry.architecture(spec.model), spec.weights)
        pool = self.make_pool(to_preload(self.registry, self.study))
        with nullcontext() if in_process else self.stop.listening():
            try:
                if not in_process:
                    pool.warm_up()
                self._prepare()
                writer = self.outages.ride_out(lambda: self.store.writer(self.study.id, self.lease))
                with writer as self._writer, self.store.mailbox(self.study.id) as self._mailbox:
                    self._search(writer, pool, in_process)
            finally:
                for module, error in pool.failed_preloads.items():
                    self.observer.note(f"every trial loads {module} anew, for it could not be loaded ahead: {error}")
                pool.close()
                self.observer.end()
        if self.lease.lost:
            raise StudyBusy(f"study '{self.study.name}' was taken over by another driver", "this run has stopped")
        if self.outages.stopped:
            raise stopped(self.study.name)
        if self.stop.by_signal:
            raise Interrupted(
                f"interrupted; what study '{self.study.name}' has so far is kept",
                f"go on with: fersearch study run {self.study.name}",
            )

    def _prepare(self) -> None:
        spec, (given, accept_change) = self.study.spec, self._data
        found = open_study_data(self.registry, self.study, given, self.observer.preparing)
        self._settle(found, accept_change)
        self._on_settled()
        self._prepared = found.prepared
        check_taught(spec.dataset, found.loaded)
        for line in findings(found.prepared, found.loaded):
            if not was_told(line):
                self.observer.note(line)
        for warning in found.loaded.warnings:
            self.observer.note(f"warning: {warning}")
        if spec.weights:
            self._fetch_weights(spec.weights, found.loaded.task)
        self._rounds = found.loaded.rounds
        if any(name not in self.study.baseline for name in predictive(self.registry)):
            baseline = {**mean_baseline(self.registry, found.rounds()), **self.study.baseline}
            self.outages.ride_out(lambda: self.store.set_baseline(self.study.id, baseline))
            self.study = replace(self.study, baseline=baseline)
        self.outages.ride_out(lambda: self.store.environment(self.study.id, environment()))

    def _settle(self, found: StudyData, accept_change: bool) -> None:
        """Hold the data to what the study began with, and keep which it is; DataError for other data."""
        study = self.study
        settled = settle(
            study, found.identity, lambda: self.outages.ride_out(lambda: self.store.trials(study.id)), accept_change
        )
        for note in settled.notes:
            self.observer.note(note)
        baseline = study.baseline if settled.baseline is None else settled.baseline
        self.outages.ride_out(lambda: self.store.set_data(study.id, settled.record, settled.renamed, baseline))
        self.study = replace(study, data=settled.record, baseline=baseline)

    def _fetch_weights(self, source: str, task: Task) -> None:
        from fersearch.training.weights import fetch

        self.observer.note(f"starting from weights {source}")
        architecture = self.registry.architecture(self.study.spec.model)
        fetch(architecture, source, next(self.study.spec.space.configurations()), task)

    def _search(self, writer: Writer, pool: Pool, in_process: bool) -> None:
        objectives = [objective.metric for objective in self.study.spec.objectives]
        trials = self.outages.ride_out(lambda: self.store.trials(self.study.id, objectives))
        history = self.outages.ride_out(lambda: recalled(self.store, self.study, trials, self._rounds))
        metrics = self.registry.metrics
        seen = self.study.data_digest
        for other in (trial for trial in trials if not trial.state.ended and not trial.saw(seen)):
            self._forget(other)
        search = Search(
            self.study,
            trials,
            history,
            writer,
            metrics,
            self.study.baseline,
            self._rounds,
            self._discard,
            seen,
            self.observer.note,
        )
        ended = [trial for trial in trials if trial.state.ended]
        self.observer.begin(self.study, self.study.spec.budget.trials, ended, len(self.where.slots), self._rounds)
        if in_process:
            slot = self.where.slots[0]
            trial = run_in_process(search, slot, self._request, self.observer, self.stop, self._look)
            if trial is not None and trial.state.ended:
                self._forget(trial)
            self._note_time()
            return
        places = self.where.places(pool, self._request, self._log, self.observer.note, trials)
        self._lookout = self.where.lookout(places, self.observer.note)
        self._lookout.look()
        LocalEngine(
            search,
            places,
            pool,
            self._request,
            self.observer,
            self.stop,
            seconds=self.seconds,
            grace=self.grace,
            forget=self._forget,
            log=self._log,
            watch=self._watch,
        ).run()
        self._note_time()
        self.over = search.done

    def _request(self, trial: Trial, slot: devices.Slot) -> TrialRequest:
        assert self._prepared is not None  # nothing is asked for before it is there
        return request_for(self.study, trial, self._prepared, slot)

    def _log(self, trial: Trial) -> Path:
        return log_folder(self.study.uid) / f"{trial.number}-{len(trial.attempts)}.log"

    def _forget(self, trial: Trial) -> None:
        url = states_url(self.study.uid, trial.number)
        self._writer.after_commit(partial(forget, run_folder(self.study.uid, trial.number), url))

    def _discard(self, digest: str) -> None:
        self._writer.after_commit(partial(discard, self.store, digest))

    def _watch(self) -> None:
        self._lookout.look()
        self._look()

    def _look(self) -> None:
        """Heed whatever says that the trials under way are to stop."""
        if self.lease.lost:
            self.stop.ask(Level.NOW)
        self.outages.look(self._writer)
        for line in self.store.mended():
            self.observer.note(line)
        now = time.monotonic()
        if now - self._looked >= HOUSEKEEPING_SECONDS:
            self._looked = now
            self._note_time()
            if any(request.kind == "stop" for request in self._mailbox.take()):
                self.observer.note("asked to stop: saving the trials under way")
                self.stop.ask(Level.AFTER_EPOCH)

    def _note_time(self) -> None:
        now = time.monotonic()
        self._writer.add_seconds(now - self._noted)
        self._noted = now


def recalled(store: Store, study: StudyRow, trials: Sequence[Trial], rounds: int) -> dict[int, list[Epoch]]:
    """The epochs that a study's search goes on from: all of what is under way, of the rest what its pruner compares."""
    ended = {trial.number for trial in trials if trial.state.ended}
    found = store.epoch_values(study.id, of=[trial.number for trial in trials if trial.number not in ended])
    judged = judged_epochs(study.spec, rounds)
    if judged is None or judged:
        names = [objective.metric for objective in study.spec.objectives]
        found |= store.epoch_values(study.id, names, of=ended, at=judged)
    return found


def to_preload(registry: Registry, study: StudyRow) -> list[str]:
    """The modules that the fork server loads: the trainer's, the plugins', and what the study's name in `preload`."""
    spec = study.spec
    used = [registry.architecture(spec.model), registry.dataset(spec.dataset), *registry.metrics.values()]
    modules = dict.fromkeys(type(component).__module__ for component in used)
    named = [name for module in modules for name in getattr(sys.modules.get(module), "preload", ())]
    return [*PRELOAD, *registry.modules, *named]


def environment() -> dict[str, Any]:
    """Where the driver runs and with what: host, cores, platform, Python and the packages that decide results."""
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


def mean_baseline(registry: Registry, folds: Iterable[Any]) -> Mapping[str, float]:
    """The majority baseline, on average over folds where it is defined."""
    found = [majority_baseline(registry, loaded) for loaded in folds]
    known = {name: [fold[name] for fold in found if math.isfinite(fold[name])] for name in found[0]}
    return {name: mean(values) if values else math.nan for name, values in known.items()}


def predictive(registry: Registry) -> dict[str, Metric]:
    """The metrics that read predictions, by name."""
    return {metric.name: metric for metric in registry.metrics.values() if not metric.measured}


def majority_baseline(registry: Registry, loaded: Any) -> Mapping[str, float]:
    """What a model reaches on validation that always answers with the training set's class shares."""
    import numpy as np

    train = loaded.hard[loaded.indices["train"]]
    labels = np.asarray(loaded.hard[loaded.indices["valid"]])
    shares = np.bincount(train, minlength=loaded.task.num_classes).astype(np.float32)
    probabilities = np.tile(shares / shares.sum(), (len(labels), 1))
    evaluation = Evaluation(probabilities, labels, loaded.task.class_names)
    return {name: score(metric, evaluation) for name, metric in predictive(registry).items()}


def _with_wishes(
    store: Store, study: StudyRow, trials: int | None, keep: Keep | None
) -> tuple[StudyRow, Callable[[], None]]:
    """The study under a new total of trials and another policy, and what writes them down; UsageError for no total."""
    spec = study.spec
    if trials is not None and trials < 1:
        raise UsageError(f"trials {trials} is too small", "give 1 or more")
    budget = spec.budget if trials is None else Budget(trials, spec.budget.timeout)

    def write() -> None:
        if trials is not None:
            store.update_budget(study.id, budget)
        if keep is not None:
            store.update_keep(study.id, keep)

    return replace(study, spec=replace(spec, budget=budget, keep=keep or spec.keep)), write


def _seconds_left(study: StudyRow, timeout: float | None) -> float | None:
    if timeout is not None or study.spec.budget.timeout is None:
        return timeout
    left = study.spec.budget.timeout - study.seconds
    if left <= 0:
        raise UsageError(
            f"the time of study '{study.name}' is used up ({study.spec.budget.timeout:g} s)",
            f"give it more for this run: fersearch study run {study.name} --timeout 10m",
        )
    return left
