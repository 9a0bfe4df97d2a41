"""The finish of a study: its best trials trained with fresh seeds, one picked on validation, test opened once."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, stdev

from fersearch import formatting
from fersearch.engines.follow_up import (
    Note,
    evaluate_unseen,
    follow_up_name,
    retraining_spec,
    store_spread,
    undivided,
)
from fersearch.engines.requests import SEED
from fersearch.errors import FersearchError, UsageError
from fersearch.evaluation.finished import Finalist, Finish, finish_of
from fersearch.space import Params
from fersearch.store import Lease, Store, StudyRow
from fersearch.study import FINISH, Keep, StudyState
from fersearch.study_data import recorded_data
from fersearch.study_front import front_of
from fersearch.trial import Trial, TrialState

Run = Callable[[str, Path | None], object]
"""Runs a study to its end, on the data at a path, or None for data that is found by name."""

EPOCHS = "epochs"


@dataclass(frozen=True)
class Retraining:
    """The training of a finish: the number of finalists, and of seeds for each; `epochs` replaces their own."""

    finalists: int = 3
    seeds: int = 5
    epochs: int | None = None

    def check(self) -> None:
        """Raise UsageError if a number is out of range."""
        limits = {"finalists": 1000, "seeds": 1000, "epochs": 10_000}
        for name, most in limits.items():
            value = getattr(self, name)
            if value is not None and not 1 <= value <= most:
                raise UsageError(f"{name} {value} is out of range", f"give 1 to {most}")

    def configuration(self, params: Params) -> Params:
        """Return the parameters of a finalist without its seed."""
        return {**params, EPOCHS: self.epochs} if self.epochs else dict(params)


def finish(
    store: Store,
    study: StudyRow,
    retraining: Retraining,
    run: Run,
    note: Note,
    storage: str | None = None,
    artifacts: str | None = None,
) -> Finish:
    """Finish a study, or resume that; for a finished study return the stored result without opening test again.

    Meanwhile no other process can run or finish the study.

    Raises:
        UsageError: a number is too small, or no trial is on the front.
        StudyBusy: a living driver runs it.
        FersearchError: training fails, or test cannot be opened.
    """
    retraining.check()
    if stored := finish_of(study.name, store.looks(study.id)):
        when = f"study {study.name} was finished on {stored.looked:%Y-%m-%d}"
        note(f"{when}: nothing is trained, and test not opened again")
        return stored
    _note_unfinished(store, study, note)
    with Lease.take(store.database, study.id, study.name, resume=False):
        owner = begin(store, study, retraining, note)
        _train(store, study, owner, run)
        return _open_test(store, study, store.study(owner.name), note, storage, artifacts)


def fresh_seeds(seed: int, count: int) -> list[int]:
    """Return seeds that a study of that seed has not used, the same in each call."""
    return random.Random(f"{seed}:finish").sample([*range(1, 100_000)], count)


def _note_unfinished(store: Store, study: StudyRow, note: Note) -> None:
    summary = next(one for one in store.studies() if one.name == study.name)
    if summary.state is not StudyState.COMPLETE:
        ended = sum(count for state, count in summary.counts.items() if TrialState(state).ended)
        budget = study.spec.budget.trials
        note(f"{ended} of {budget} trials of {study.name} have ended: later ones are chosen with knowledge of test")


def begin(store: Store, study: StudyRow, retraining: Retraining, note: Note) -> StudyRow:
    """Return the study that trains the finalists of another: created now, with a trial for each seed, or earlier.

    It remembers the unseen datasets of each call, for the evaluation of the pick.

    Raises:
        UsageError: a number is too small, or no trial is on the front.
        FersearchError: it was started with other finalists, and not all of them were stored.
    """
    retraining.check()
    searched = store.trials(study.id)
    plan = _plan(study, searched, retraining)
    name = follow_up_name(FINISH, study, store, lambda candidate: _trains(candidate, store, searched))
    if name not in store.study_names():
        spec = replace(retraining_spec(study.spec, name, plan), keep=Keep("all"))
        store.create_study(spec, study.plugins, undivided(study), like=study.id)
        count = formatting.plural(len(plan) // retraining.seeds, "finalist")
        each = formatting.plural(retraining.seeds, "seed")
        note(f"training {count} of {study.name} with {each} each, as study {name}")
    store.add_unseen(store.study(name).id, study.spec.unseen)
    owner = store.study(name)
    own, budget = store.trials(owner.id), owner.spec.budget.trials
    missing = [params for params in plan if all(trial.params != params for trial in own)]
    if len(own) == budget:
        if missing or len(plan) != budget:
            note(f"continuing study {name} as it was started; the finalists, seeds and epochs given now are ignored")
        return owner
    if len(own) + len(missing) != budget:
        raise FersearchError(
            f"study '{name}' was started with other finalists, and not all of them were stored",
            f"start again: fersearch study delete {name} --yes; fersearch study finish {study.name}",
        )
    _add_trials(store, owner, missing, len(own))
    return owner


def _add_trials(store: Store, owner: StudyRow, configurations: Sequence[Params], first: int) -> None:
    space = owner.spec.space.to_json()
    with Lease.take(store.database, owner.id, owner.name) as lease, store.writer(owner.id, lease) as writer:
        for number, params in enumerate(configurations, first):
            trial = Trial(number, dict(params), space=space, data_digest=owner.data_digest)
            writer.add_trial(trial, begins=False)


def _train(store: Store, study: StudyRow, owner: StudyRow, run: Run) -> None:
    """Train the finalists that have not ended; FersearchError if any is still unfinished afterwards."""
    if has_ended(store, owner):
        return
    where = recorded_data(study).path
    run(owner.name, Path(where) if where else None)
    if not has_ended(store, owner):
        raise FersearchError(
            f"some trials of study '{owner.name}' have not ended, so test stays closed",
            f"continue with: fersearch study finish {study.name}",
        )


def has_ended(store: Store, owner: StudyRow) -> bool:
    """Return whether every trial of a study has ended."""
    return all(trial.state.ended for trial in store.trials(owner.id, ()))


def _plan(study: StudyRow, searched: Sequence[Trial], retraining: Retraining) -> list[Params]:
    """Return the configurations to train, best first: each with every seed."""
    members = front_of(study, searched).trials
    if not members:
        complete = sum(trial.state is TrialState.COMPLETE for trial in searched)
        within = " within the bounds" if study.spec.where else ""
        why = "no complete trial" if not complete else f"no trial on the front: none beats the baseline{within}"
        hint = _hint_without_front(study, searched)
        raise UsageError(f"study '{study.name}' has {why}, so there is nothing to finish", hint)
    if SEED in study.spec.space:
        raise UsageError(
            f"study '{study.name}' searches a parameter called {SEED}",
            "finish adds one of that name: rename yours",
        )
    finalists: list[Params] = []
    for trial in members:
        if (configuration := retraining.configuration(trial.params)) not in finalists:
            finalists.append(configuration)
    seeds = fresh_seeds(study.spec.seed, retraining.seeds)
    return [{**params, SEED: seed} for params in finalists[: retraining.finalists] for seed in seeds]


def _hint_without_front(study: StudyRow, searched: Sequence[Trial]) -> str:
    """Return what to run so that a study without a front gets one."""
    if not any(trial.state.ended for trial in searched):
        return f"run it first: fersearch study run {study.name} --trials N"
    if all(trial.untrained for trial in searched):
        return f"change what it searches: fersearch study extend {study.name} --set NAME=...; then run it again"
    return f"run more trials: fersearch study run {study.name} --trials N"


def _trains(owner: StudyRow, store: Store, searched: Sequence[Trial]) -> bool:
    """Return whether a study trains only configurations of these trials, each with its own seed."""
    if SEED not in owner.spec.space:
        return False
    return all(_finalist_of(trial, searched) is not None for trial in store.trials(owner.id))


def _finalist_of(trained: Trial, searched: Sequence[Trial]) -> Trial | None:
    """Return the first of these trials that a seeded one trains again, whatever its epochs; None if there is none."""
    params = {name: value for name, value in trained.params.items() if name != SEED}
    same = [one for one in searched if {**one.params, EPOCHS: params[EPOCHS]} == params]
    exact = [one for one in same if one.params == params]
    return next(iter(exact or same), None)


@dataclass(frozen=True)
class Pick:
    """The finalist with the best mean on validation: its trial of the search, its trials with seeds, and its peers."""

    searched: Trial
    seeded: Sequence[tuple[int, Trial]]
    finalists: Sequence[Finalist]


def _pick(store: Store, study: StudyRow, owner: StudyRow, note: Note) -> Pick:
    searched = store.trials(study.id)
    best_first = [*front_of(study, searched).trials, *searched]
    trained = _by_finalist(best_first, store.trials(owner.id), note)
    first = study.spec.objectives[0]
    ranked = [_finalist(number, [t.values[first.metric] for _, t in own]) for number, own in trained.items()]
    if not ranked:
        message = f"no finalist of study '{study.name}' was trained with every seed"
        raise FersearchError(message, f"see: fersearch trial list {owner.name}")
    pick = min(ranked, key=lambda one: first.loss(one.mean)).trial
    for one in ranked:
        spread = "" if one.std is None else f" ± {formatting.number(one.std)}"
        marker = ", the pick" if one.trial == pick else ""
        note(f"trial {one.trial}: {first.metric} {formatting.number(one.mean)}{spread} on validation{marker}")
    return Pick(next(one for one in searched if one.number == pick), trained[pick], ranked)


def _open_test(
    store: Store, study: StudyRow, owner: StudyRow, note: Note, storage: str | None, artifacts: str | None
) -> Finish:
    """Pick on validation, evaluate the pick on unseen datasets and on test, and record one look at the study."""
    from fersearch.evaluation.final_look import look_at_test

    pick, first = _pick(store, study, owner, note), study.spec.objectives[0]
    store_spread(store, study, pick.searched, [trial for _, trial in pick.seeded])
    best = min(pick.seeded, key=lambda seeded: first.loss(seeded[1].values[first.metric]))[1]
    if owner.spec.unseen:
        evaluate_unseen(owner.spec.unseen, owner.name, store, note, storage, artifacts, best)
    look = look_at_test(study, owner, pick.searched.number, pick.seeded, pick.finalists, storage, artifacts)
    if best.params[EPOCHS] != pick.searched.params[EPOCHS]:
        look = replace(look, epochs=int(best.params[EPOCHS]))
    store.add_look(study.uid, best.checkpoint or "", look.dataset, "test", look.n, look.metrics())
    stored = finish_of(study.name, store.looks(study.id))
    assert stored is not None  # just added
    return stored


def _finalist(number: int, values: Sequence[float]) -> Finalist:
    return Finalist(number, mean(values), stdev(values) if len(values) > 1 else None)


def _by_finalist(searched: Sequence[Trial], trained: Sequence[Trial], note: Note) -> dict[int, list[tuple[int, Trial]]]:
    """Return the trials that trained each finalist, with their seeds; incomplete finalists are noted and left out."""
    groups: dict[int, list[tuple[int, Trial]]] = {}
    for trial in trained:
        finalist = _finalist_of(trial, searched)
        assert finalist is not None  # ensured by `_trains`
        groups.setdefault(finalist.number, []).append((int(trial.params[SEED]), trial))
    whole = {number: own for number, own in groups.items() if all(t.state is TrialState.COMPLETE for _, t in own)}
    for number in groups.keys() - whole.keys():
        note(f"trial {number} is left out: not every seed of it was trained to its end")
    return whole
