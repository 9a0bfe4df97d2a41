"""Run a study, then what it asks for after its last trial: refits, unseen datasets, exclusive timing."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fersearch.api.checkpoints import require_checkpoint
from fersearch.api.reruns import rerun_trial
from fersearch.api.studies import StudyView, front_of, view
from fersearch.artifacts import Artifacts
from fersearch.context import components_of, open_store
from fersearch.engines.backends import body, check_run
from fersearch.engines.driver import Driver
from fersearch.engines.local import Observer
from fersearch.engines.processes import HUNG_AFTER
from fersearch.engines.shutdown import GRACE
from fersearch.errors import FersearchError, UsageError
from fersearch.home import artifacts_folder
from fersearch.planning import unseen_dataset
from fersearch.report.sharing import EXCLUSIVE
from fersearch.space import Choice, Space
from fersearch.store import Lease, Store, StudyRow
from fersearch.study import Budget, Keep, Protocol, StudySpec
from fersearch.study_data import recorded_data
from fersearch.trial import Trial

Note = Callable[[str], None]
TIMED = "train_seconds"


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
            Lease.take(store.database, study.id, study.name) as lease,
            body(engine, ray_address, slots, slots_per_gpu, threads_per_slot, observer.note) as where,
        ):
            patient_pool = partial(where.make_pool, hung_after=hung_after)
            run = Driver(store, study, where, patient_pool, observer, seconds, lease, grace)
            run.take_data(data, accept_data_change, store_wishes)
            run.go(in_process)
        if run.over:
            again = partial(run_study, **how, observer=observer, storage=storage)
            follow_up(name, storage, again, observer.note)
            if exclusive_timing:
                time_front(name, storage, observer.note)
        return view(store, store.study(name))


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


def refit_name(study: StudyRow, store: Store) -> str:
    """The name of the study that trains another study's best configuration again, on the data it is about now."""
    base, taken, own = f"refit/{study.name}", store.study_names(), recorded_data(study)
    names = (base if number == 1 else f"{base}-{number}" for number in itertools.count(1))
    return next(n for n in names if n not in taken or recorded_data(store.study(n)).same_arrays(own))


def refit_spec(spec: StudySpec, best: Trial, name: str) -> StudySpec:
    """The study of one trial that trains a configuration `refit` times, on the protocol's split without folds."""
    told = spec.protocol
    split = ("ratios" if told.ratios else "auto") if told.folded else told.split
    protocol = Protocol(split, told.ratios, told.split_seed, told.by, repeats=spec.refit, duplicates=told.duplicates)
    return replace(
        spec,
        name=name,
        space=Space({name: Choice(value) for name, value in best.params.items()}),
        budget=Budget(1),
        protocol=protocol,
        sampler="random",
        pruner="none",
        refit=0,
        unseen=(),
    )


def refit(study: StudyRow, store: Store, run: Callable[..., object], note: Note) -> str:
    """Train the best configuration again, or go on with that; returns the name of the study that does.

    `run(name, data=PATH)` runs it on the data where the study's own was found last, None where there are no files.
    """
    name = refit_name(study, store)
    if name not in store.study_names():
        best = best_of(study, store)
        undivided = {key: value for key, value in study.data.items() if key in ("files", "arrays", "makers", "path")}
        store.create_study(refit_spec(study.spec, best, name), study.plugins, undivided)
        note(f"training trial {best.number} of {study.name} {study.spec.refit} times more, as study {name}")
    where = recorded_data(study).path
    run(name, data=Path(where) if where else None)
    return name


def judge_unseen(study: StudyRow, name: str, store: Store, note: Note, storage: str | None = None) -> None:
    """Let the best model of study `name` judge every dataset that `study` names as unseen, each only once.

    `storage` is the URL of the store as it was given, with its password.

    Data that is not at hand, or shares too few classes, is noted. Looks tell the datasets by name alone: of several
    sets in one layout all are judged again until there are as many looks.
    """
    from fersearch.evaluation.evaluate import judge
    from fersearch.evaluation.request import Exam, sit

    owner = store.study(name)
    best = best_of(owner, store)
    require_checkpoint(name, best)
    digest = best.checkpoint or ""
    looks = Counter(look.dataset for look in store.looks(owner.id) if look.checkpoint == digest)
    wanted = {text: unseen_dataset(text) for text in study.spec.unseen}
    named = Counter(dataset for dataset, _ in wanted.values())
    for text, (dataset, path) in wanted.items():
        if looks[dataset] >= named[dataset]:
            continue
        try:
            file = Artifacts(artifacts_folder()).open(digest)
            exam = Exam(dataset, path, "all", storage=storage, unseen=True)
            found = judge(file, sit(file, exam, registry=components_of(owner)), exam)
        except FersearchError as error:
            note(f"unseen {text} could not be judged: {error.message}")
        else:
            accuracy = found.metrics.get("accuracy", float("nan"))
            note(f"unseen {text}: accuracy {accuracy:.4f} on {found.n:,} images of the classes they share")


def best_of(study: StudyRow, store: Store) -> Trial:
    """The best trial on the front by the first objective; UsageError if none stands there."""
    found = front_of(study, store.trials(study.id)).trials
    if not found:
        raise UsageError(
            f"no trial of study '{study.name}' stands on the front", f"see: fersearch trial list {study.name}"
        )
    return found[0]


def follow_up(name: str, storage: str | None, run: Callable[..., object], note: Note) -> None:
    """Do what study `name`, which is over, asks for after its end; what was done before is not done again."""
    with open_store(storage) as store:
        study = store.study(name)
        if not (study.spec.refit or study.spec.unseen):
            return
        if not front_of(study, store.trials(study.id)).trials:
            note("no trial stands on the front: nothing is trained again, and no unseen data judged")
            return
        owner = refit(study, store, run, note) if study.spec.refit else name
        if study.spec.unseen and front_of(store.study(owner), store.trials(store.study(owner).id)).trials:
            judge_unseen(study, owner, store, note, storage)


def time_front(name: str, storage: str | None, note: Callable[[str], None]) -> None:
    """Train every member of a study's front again, one after another, and keep its `exclusive_train_seconds`.

    The searched value stays as it is. A member that was timed before is not timed again.

    Raises:
        FersearchError: training fails.
    """
    with open_store(storage) as store:
        study = store.study(name)
        due = [trial for trial in front_of(study, store.trials(study.id)).trials if EXCLUSIVE not in trial.values]
    for place, trial in enumerate(due, 1):
        note(f"timing trial {trial.number} of {name} alone ({place} of {len(due)} on the front)")
        again = rerun_trial(name, trial.number, storage=storage)
        seconds = {each.name: each.again for each in again.metrics}[TIMED]
        if seconds is None:
            continue
        with open_store(storage) as store:
            store.set_value(study.id, trial.number, EXCLUSIVE, seconds)
        note(f"trial {trial.number} alone: {TIMED} {seconds:.1f}{_beside(trial.values.get(TIMED))}")
        for change in again.changed:
            told = f"{change.name} {change.again}, which was {change.stored} in the search"
            note(f"trial {trial.number} was timed with {told}")


def _beside(searched: float | None) -> str:
    return "" if searched is None else f", {searched:.1f} in the search"
