"""What a study asks for after its last trial: its best configuration trained again, and data it never saw."""

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fersearch.api.checkpoints import require_checkpoint
from fersearch.api.context import components_of, open_store
from fersearch.api.plan import unseen_dataset
from fersearch.api.studies import front_of
from fersearch.api.study_data import recorded_data
from fersearch.artifacts import Artifacts
from fersearch.errors import FersearchError, UsageError
from fersearch.home import artifacts_folder
from fersearch.space import Choice, Space
from fersearch.store import Store, StudyRow
from fersearch.study import Budget, Protocol, StudySpec
from fersearch.trial import Trial

Note = Callable[[str], None]


def refit_name(study: StudyRow, store: Store) -> str:
    """The name of the study that trains another study's best configuration again, on the data it is about now."""
    base, taken, own = f"refit/{study.name}", store.study_names(), recorded_data(study)
    names = (base if number == 1 else f"{base}-{number}" for number in itertools.count(1))
    return next(n for n in names if n not in taken or recorded_data(store.study(n)).same_arrays(own))


def refit_spec(spec: StudySpec, best: Trial, name: str) -> StudySpec:
    """The study of one trial that trains a configuration `refit` times, on the protocol's split without folds."""
    told = spec.protocol
    split = ("ratios" if told.ratios else "auto") if told.folded else told.split
    protocol = Protocol(split, told.ratios, told.seed, told.by, repeats=spec.refit, duplicates=told.duplicates)
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
    from fersearch.api.evaluating import judge
    from fersearch.api.exams import Exam, sit

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
