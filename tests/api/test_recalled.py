"""A search that goes on from the few epochs it needs does what one does that was given all of them."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from fersearch.engines.driver import epochs_to_resume
from fersearch.search.brain import Search
from fersearch.store import Store, StudyRow
from fersearch.study import Keep, Protocol
from fersearch.trial import Decision, Epoch, Outcome, Reason, Trial
from tests.search.fakes import METRICS, Rows, epoch_of, make_spec

OBJECTIVES = ("f1_macro", "train_seconds", "peak_memory_mb")
BASELINE = {"f1_macro": 0.3}
ENDS = (Reason.DONE, Reason.DONE, Reason.DONE, Reason.ERROR, Reason.INTERRUPTED, Reason.KILLED, Reason.OOM)


def drive(search: Search, chance: random.Random, steps: int, rounds: int, leave: int = 0) -> list[object]:
    """Run trials in three slots as chance has it; returns every answer. The last `leave` are left running."""
    running: dict[int, int] = {}
    returned: list[object] = []
    for _ in range(steps):
        while len(running) < 3 and (trial := search.ask()) is not None:
            running[trial.number] = trial.epochs if chance.random() < 0.7 else 0
            returned.append(trial)
        if not running:
            break
        number = chance.choice(sorted(running))
        running[number] += 1
        trial = next(trial for trial in search.trials if trial.number == number)
        decision = search.record(number, epoch(trial, running[number], rounds))
        returned.append(decision)
        over = running[number] >= 8 * rounds
        if decision is Decision.STOP or over or chance.random() < 0.05:
            reason = Reason.PRUNED if decision is Decision.STOP else Reason.DONE if over else chance.choice(ENDS)
            best = running.pop(number)
            returned.append(search.finish(number, Outcome(reason, kept_epoch=best, checkpoint=f"{number}"), 1.0))
    for number in sorted(running)[leave:]:
        returned.append(search.finish(number, Outcome(Reason.INTERRUPTED), 1.0))
    return returned


def epoch(trial: Trial, number: int, rounds: int) -> Epoch:
    made = epoch_of(trial, number)
    values = {**made.values, "accuracy": number / 100}
    return replace(made, values=values, round=(number - 1) // 8 + 1, last=number % 8 == 0 if rounds > 1 else False)


def values_in(history: dict[int, list[Epoch]]) -> int:
    return sum(len(epoch.values) for epochs in history.values() for epoch in epochs)


def as_read(result: list[Trial], earlier: list[Trial]) -> list[Trial]:
    """Trials of which those that had ended earlier have the values of the objectives alone."""
    ended = {trial.number for trial in earlier if trial.state.ended}
    return [replace(trial, values=compared_of(trial)) if trial.number in ended else trial for trial in result]


def compared_of(trial: Trial) -> dict[str, float]:
    return {name: value for name, value in trial.values.items() if name in OBJECTIVES}


def rebuilt(study: StudyRow, trials: list[Trial], history: dict[int, list[Epoch]], rounds: int) -> tuple[Search, list]:
    rows, gone = Rows(), []
    rows.trials = {trial.number: trial for trial in trials}
    rows.attempts = {(t.number, attempt.number): attempt for t in trials for attempt in t.attempts}
    return Search(study, trials, history, rows, METRICS, BASELINE, rounds, gone.append), gone


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Store, StudyRow]]:
    def fill(seed: int, pruner: str, rounds: int, keep: Keep) -> tuple[Store, StudyRow]:
        protocol = Protocol(split="kfold", folds=rounds) if rounds > 1 else Protocol()
        spec = make_spec("random", trials=40, pruner=pruner, protocol=protocol, keep=keep)
        store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('recalled')}/a.db")
        study = store.create_study(spec)
        with store.writer(study.id) as writer:
            search = Search(study, (), {}, writer, METRICS, BASELINE, rounds)
            drive(search, random.Random(seed), 150, rounds, leave=2)
        return store, study

    return fill


@pytest.mark.parametrize(
    ("seed", "pruner", "rounds", "keep"),
    [
        (0, "pareto", 1, Keep()),
        (1, "pareto", 1, Keep("best", 3)),
        (2, "pareto", 3, Keep()),
        (3, "pareto", 3, Keep("all")),
        (4, "none", 1, Keep()),
        (5, "none", 3, Keep("best", 2)),
        (6, "pareto", 1, Keep()),
        (7, "pareto", 1, Keep()),
    ],
)
def test_both_propose_judge_and_keep_the_same(filled, seed, pruner, rounds, keep):
    store, study = filled(seed, pruner, rounds, keep)
    with store:
        trials, compared = store.trials(study.id), store.trials(study.id, OBJECTIVES)
        few, all_of_them = epochs_to_resume(store, study, compared, rounds), store.epoch_values(study.id)
    assert values_in(few) < values_in(all_of_them)
    assert sum(len(trial.values) for trial in compared) < sum(len(trial.values) for trial in trials)
    one, gone = rebuilt(study, compared, few, rounds)
    other, also_gone = rebuilt(study, trials, all_of_them, rounds)
    assert one.trials == as_read(other.trials, trials)
    assert drive(one, random.Random(seed), 200, rounds) == drive(other, random.Random(seed), 200, rounds)
    assert one.trials == as_read(other.trials, trials)
    assert (one.front(), gone) == (as_read(other.front(), trials), also_gone)


def test_only_what_is_compared_is_read(filled):
    store, study = filled(1, "pareto", 1, Keep())
    with store:
        trials = store.trials(study.id)
        result = epochs_to_resume(store, study, trials, 1)
        ended = {trial.number for trial in trials if trial.state.ended}
        assert ended
        assert {epoch.number for number in ended for epoch in result.get(number, ())} == {1, 2, 4}
        metrics = {name for number in ended for epoch in result.get(number, ()) for name in epoch.values}
        assert metrics == {"f1_macro", "train_seconds", "peak_memory_mb"}
        assert all(
            len(result[trial.number]) == trial.epochs for trial in trials if trial.epochs and not trial.state.ended
        )
        unpruned = replace(study, spec=replace(study.spec, pruner="none"))
        assert set(epochs_to_resume(store, unpruned, trials, 1)).isdisjoint(ended)
