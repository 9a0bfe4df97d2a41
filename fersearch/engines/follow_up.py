"""Work after a study's last trial: refits, unseen datasets, exclusive timing."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fersearch.artifacts import Artifacts
from fersearch.context import components_of, open_store
from fersearch.engines.requests import trains_finalists
from fersearch.engines.rerun import RerunRequest, rerun
from fersearch.errors import FersearchError
from fersearch.evaluation.pulling import require_checkpoint
from fersearch.home import artifacts_folder
from fersearch.planning.parts import unseen_dataset
from fersearch.search.ties import deviation_of
from fersearch.space import Choice, Params, Space
from fersearch.store import Store, StudyRow
from fersearch.study import REFIT, Budget, Protocol, StudySpec
from fersearch.study_data import recorded_data
from fersearch.study_front import best_of_front, front_of
from fersearch.trial import EXCLUSIVE, SPREAD, Trial

Note = Callable[[str], None]
TIMED = "train_seconds"


def follow_up_name(
    prefix: str, study: StudyRow, store: Store, fits: Callable[[StudyRow], bool] = lambda _: True
) -> str:
    """Return the name of the study that retrains the results of another on its current data; `fits` accepts it."""
    base, existing_names, own = f"{prefix}/{study.name}", store.study_names(), recorded_data(study)

    def usable(name: str) -> bool:
        return name not in existing_names or (
            recorded_data(existing := store.study(name)).same_arrays(own) and fits(existing)
        )

    return next(filter(usable, (base if number == 1 else f"{base}-{number}" for number in itertools.count(1))))


def retraining_spec(spec: StudySpec, name: str, configurations: Sequence[Params], repeats: int = 1) -> StudySpec:
    """Return the spec of a study that trains the given configurations, `repeats` times each, without folds."""
    own = spec.protocol
    split = ("ratios" if own.ratios else "auto") if own.folded else own.split
    protocol = Protocol(split, own.ratios, own.split_seed, own.by, repeats=repeats, duplicates=own.duplicates)
    names = dict.fromkeys(parameter for params in configurations for parameter in params)
    values = {name: dict.fromkeys(params[name] for params in configurations if name in params) for name in names}
    return replace(
        spec,
        name=name,
        space=Space({name: Choice(*options) for name, options in values.items()}),
        budget=Budget(len(configurations)),
        protocol=protocol,
        sampler="grid",
        pruner="none",
        recipes="none",
        refit=0,
        unseen=(),
        where=(),
        changes=(),
        stop_when_flat=0,
        origin=None,
    )


def alone(spec: StudySpec, params: Params) -> tuple[StudySpec, Params]:
    """Return the spec of a study of the one architecture of `params`, and its parameters in that study's space."""
    architecture, own = spec.chosen(params)
    return replace(spec, architecture=architecture, one_study=False), own


def undivided(study: StudyRow) -> dict[str, Any]:
    """Return the recorded identity of a study's data without the parts that depend on its split."""
    return {key: value for key, value in study.data.items() if key in ("files", "arrays", "makers", "path")}


def refit(study: StudyRow, store: Store, run: Callable[..., object], note: Note) -> str:
    """Retrain the best configuration, or resume that; return the name of the study that trains it.

    `run(name, data=PATH)` runs it on the last path of the study's data, None for data without files.
    """
    name = follow_up_name(REFIT, study, store)
    if name not in store.study_names():
        best = best_of_front(study, store.trials(study.id))
        alone_spec, params = alone(study.spec, best.params)
        spec = retraining_spec(alone_spec, name, [params], alone_spec.refit)
        store.create_study(spec, study.plugins, undivided(study))
        note(f"training trial {best.number} of {study.name} {study.spec.refit} times more, as study {name}")
    where = recorded_data(study).path
    run(name, data=Path(where) if where else None)
    store_spread(store, study, best_of_front(study, store.trials(study.id)), store.trials(store.study(name).id))
    return name


def store_spread(store: Store, study: StudyRow, trial: Trial, trained: Sequence[Trial]) -> None:
    """Store with a trial the relative deviations of its costs over the trainings of its configuration."""
    for objective in study.spec.objectives[1:]:
        if (deviation := deviation_of(trained, objective.metric)) is not None:
            store.set_value(study.id, trial.number, f"{objective.metric}{SPREAD}", deviation)


def evaluate_unseen(
    unseen: Sequence[str],
    name: str,
    store: Store,
    note: Note,
    storage: str | None = None,
    artifacts: str | None = None,
    best: Trial | None = None,
) -> None:
    """Evaluate the best model of study `name` on every `unseen` dataset, each only once.

    The model is that of trial `best` if given. `storage` is the URL of the store with its password, `artifacts` the
    place of checkpoints.

    Data that is not available, or shares too few classes, is noted. Looks identify datasets by name alone: of several
    datasets of one name all are evaluated again until there are as many looks.
    """
    from fersearch.evaluation.evaluate import evaluate_checkpoint
    from fersearch.evaluation.request import EvaluationRequest, open_input

    owner = store.study(name)
    best = best or best_of_front(owner, store.trials(owner.id))
    require_checkpoint(name, best)
    digest = best.checkpoint or ""
    looks = Counter(look.dataset for look in store.looks(owner.id) if look.checkpoint == digest)
    datasets = {text: unseen_dataset(text) for text in unseen}
    named = Counter(dataset for dataset, _ in datasets.values())
    for text, (dataset, path) in datasets.items():
        if looks[dataset] >= named[dataset]:
            continue
        try:
            file = Artifacts(artifacts_folder(artifacts)).open(digest)
            request = EvaluationRequest(dataset, path, "all", storage=storage, unseen=True)
            result = evaluate_checkpoint(file, open_input(file, request, registry=components_of(owner)), request)
        except FersearchError as error:
            note(f"the model could not be evaluated on unseen {text}: {error.message}")
        else:
            accuracy = result.metrics.get("accuracy", float("nan"))
            note(f"unseen {text}: accuracy {accuracy:.4f} on {result.n:,} images of the classes they share")


def follow_up(
    name: str, storage: str | None, run: Callable[..., object], note: Note, artifacts: str | None = None
) -> None:
    """Carry out the work that a finished study specifies for after its end; work done before is not repeated.

    The unseen datasets of a study that trains finalists are left to the finish, which chooses the model.
    """
    with open_store(storage) as store:
        study = store.study(name)
        if trains_finalists(study) or not (study.spec.refit or study.spec.unseen):
            return
        if not front_of(study, store.trials(study.id)).trials:
            note("no trial is on the front: nothing is retrained or evaluated on unseen data")
            return
        owner = refit(study, store, run, note) if study.spec.refit else name
        if study.spec.unseen and front_of(store.study(owner), store.trials(store.study(owner).id)).trials:
            evaluate_unseen(study.spec.unseen, owner, store, note, storage, artifacts)


def time_front(name: str, storage: str | None, note: Note) -> None:
    """Retrain every member of a study's front, one at a time, and store its `exclusive_train_seconds`.

    The value of the search is unchanged. A member that was timed before is not timed again.

    Raises:
        FersearchError: training fails.
    """
    with open_store(storage) as store:
        study = store.study(name)
        due = [trial for trial in front_of(study, store.trials(study.id)).trials if EXCLUSIVE not in trial.values]
    for place, trial in enumerate(due, 1):
        note(f"timing trial {trial.number} of {name} alone ({place} of {len(due)} on the front)")
        with open_store(storage) as store:
            again = rerun(store, study, trial.number, RerunRequest(), lambda _: None)
        seconds = {each.name: each.again for each in again.metrics}[TIMED]
        if seconds is None:
            continue
        with open_store(storage) as store:
            store.set_value(study.id, trial.number, EXCLUSIVE, seconds)
        note(f"trial {trial.number} alone: {TIMED} {seconds:.1f}{_beside(trial.values.get(TIMED))}")
        for change in again.changed:
            text = f"{change.name} {change.again}, which was {change.stored} in the search"
            note(f"trial {trial.number} was timed with {text}")


def _beside(searched: float | None) -> str:
    return "" if searched is None else f", {searched:.1f} in the search"
