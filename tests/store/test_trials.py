"""Trials and epochs come back as they were written."""

import math
from dataclasses import replace

import pytest

from fersearch.errors import UnknownName
from fersearch.store import Store, StudyRow
from fersearch.store.trials import valid_epochs
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState
from tests.store.conftest import make_spec

TRIAL = Trial(
    0,
    {"optimizer": "sgd", "momentum": 0.1, "nesterov": True, "batch_size": 32},
    TrialState.RUNNING,
    space={"momentum": {"type": "float", "low": 0.0, "high": 1.0, "log": False}},
    sampler_state={"attributes": {"generation": 3}, "bound": math.inf},
    verdict={"stop": False, "rung": 1},
)


def test_a_trial_comes_back_as_it_was_written(store: Store, study: StudyRow) -> None:
    attempt = Attempt(1, Reason.ERROR, "boom", "Traceback ...\n", 1, 2, 3.5, 77, "/log/0-1.txt")
    ended = Trial(
        **{**vars(TRIAL), "state": TrialState.FAILED, "values": {"f1_macro": 0.25, "auc": math.inf}, "epochs": 2}
    )
    with store.writer(study.id) as writer:
        writer.add_trial(TRIAL)
        writer.start_attempt(0, Attempt(1))
        writer.end_attempt(ended, attempt, {})
    expected = Trial(**{**vars(ended), "attempts": (attempt,)})
    assert store.trials(study.id) == [expected]
    assert store.trial(study.id, 0) == expected
    assert store.trial(study.id, 0).reason is Reason.ERROR


def test_a_value_measured_later_stands_beside_the_others_and_replaces_an_earlier_one(
    store: Store, study: StudyRow
) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}, TrialState.COMPLETE, values={"train_seconds": 3.0}))
    for seconds in (9.0, 2.5, math.nan):
        store.set_value(study.id, 0, "exclusive_train_seconds", seconds)
        values = store.trial(study.id, 0).values
        assert repr(values["exclusive_train_seconds"]) == repr(seconds)
        assert values["train_seconds"] == 3.0


def test_trials_come_in_the_order_of_their_numbers(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        for number in (2, 0, 10, 1):
            writer.add_trial(Trial(number, {}))
    assert [trial.number for trial in store.trials(study.id)] == [0, 1, 2, 10]


def test_trials_are_read_by_number_and_with_some_of_their_values(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        for number in range(150):  # more than one query reads
            values = {"f1_macro": number / 150, "auc": math.inf, "train_seconds": 1.0}
            writer.add_trial(replace(TRIAL, number=number, state=TrialState.COMPLETE, values=values))
            writer.start_attempt(number, Attempt(1, facts={"device": "cpu"}))
    everything = store.trials(study.id)
    assert everything[149].attempts == (Attempt(1, facts={"device": "cpu"}),)
    assert store.trials(study.id, of=range(3, 149)) == everything[3:149]
    assert store.trials(study.id, of=()) == []
    few = store.trials(study.id, ["f1_macro", "auc"], of={149, 2, 1000})
    values = [{"f1_macro": 2 / 150, "auc": math.inf}, {"f1_macro": 149 / 150, "auc": math.inf}]
    assert few == [replace(everything[n], values=own) for n, own in zip((2, 149), values, strict=True)]


def test_an_unknown_trial_says_which_there_are(store: Store, study: StudyRow) -> None:
    with pytest.raises(UnknownName, match="it has no trials yet"):
        store.trial(study.id, 0)
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.add_trial(Trial(3, {}))
    with pytest.raises(UnknownName, match="its trials are 0 to 3"):
        store.trial(study.id, 7)


def test_nan_stays_nan(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}, values={"auc": math.nan}))
        writer.start_attempt(0, Attempt(1))
        writer.record(0, 1, Epoch(1, {"auc": math.nan, "f1_macro": 0.5, "loss": math.inf}, 1.0))
    assert math.isnan(store.trial(study.id, 0).values["auc"])
    values = store.history(study.id, 0)[0].values
    assert math.isnan(values["auc"])
    assert (values["f1_macro"], values["loss"]) == (0.5, math.inf)


def test_history_holds_epochs_in_order_with_confusion(store: Store, study: StudyRow) -> None:
    written = [Epoch(n, {"f1_macro": n / 10}, 1.5, 1.25, [[n, 0], [1, 2]]) for n in (1, 2, 3)]
    with store.writer(study.id) as writer:
        writer.add_trial(TRIAL)
        writer.start_attempt(0, Attempt(1))
        for epoch in reversed(written):
            writer.record(0, 1, epoch)
    assert store.history(study.id, 0) == written
    plain = [Epoch(epoch.number, epoch.values, 1.5, 1.25) for epoch in written]
    assert store.epoch_values(study.id) == {0: plain}
    assert store.history(study.id, 5) == []


def test_epoch_values_may_be_of_some_metrics_only(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        for number in (0, 1):
            writer.add_trial(Trial(number, {}))
            writer.start_attempt(number, Attempt(1))
            writer.record(number, 1, Epoch(1, {"a": 1.0, "b": 2.0}, 1.0))
    assert store.epoch_values(study.id, ["b"]) == {n: [Epoch(1, {"b": 2.0}, 1.0)] for n in (0, 1)}


def test_where_attempts_overlap_the_latest_stands(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(TRIAL)
        for attempt, numbers in ((1, (1, 2, 3, 4)), (2, (3,))):
            writer.start_attempt(0, Attempt(attempt))
            for number in numbers:
                writer.record(0, attempt, Epoch(number, {"attempt": float(attempt)}, 1.0))
    result = [(epoch.number, epoch.values["attempt"]) for epoch in store.history(study.id, 0)]
    assert result == [(1, 1.0), (2, 1.0), (3, 2.0)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], []),
        ([(1, 1), (1, 2)], [(1, 1), (1, 2)]),
        ([(1, 1), (1, 2), (2, 3)], [(1, 1), (1, 2), (2, 3)]),
        ([(1, 1), (1, 2), (2, 1)], [(2, 1)]),
        ([(1, 1), (1, 2), (1, 3), (2, 3), (3, 2)], [(1, 1), (3, 2)]),
        ([(1, 1), (3, 2), (3, 3)], [(1, 1), (3, 2), (3, 3)]),
    ],
)
def test_an_attempt_replaces_what_earlier_ones_did_after_its_start(
    keys: list[tuple[int, int]], expected: list[tuple[int, int]]
) -> None:
    result = valid_epochs((7, attempt, epoch) for attempt, epoch in keys)
    assert result.get(7, []) == [(7, attempt, epoch) for attempt, epoch in expected]


def test_checkpoints_are_listed_with_their_size(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        for number in (0, 1):
            writer.add_trial(Trial(number, {}))
            writer.start_attempt(number, Attempt(1))
            ended = Trial(number, {}, TrialState.COMPLETE, kept_epoch=4, checkpoint=f"{number}" * 64)
            writer.end_attempt(ended, Attempt(1, Reason.DONE), {"checkpoint_bytes": 3_000_000_000} if number else {})
    result = store.checkpoints(study.id)
    assert [(c.trial, c.digest, c.epoch, c.bytes) for c in result] == [
        (0, "0" * 64, 4, None),
        (1, "1" * 64, 4, 3_000_000_000),
    ]


def test_a_released_checkpoint_leaves_its_policy_and_what_the_trial_was(store: Store, study: StudyRow) -> None:
    other = store.create_study(make_spec("other"))
    done = Attempt(1, Reason.DONE)
    for owner, numbers in ((study, (0, 1)), (other, (0,))):
        with store.writer(owner.id) as writer:
            for number in numbers:
                ended = Trial(number, {}, TrialState.COMPLETE, {"a": 1.0}, 4, 4, f"{number}" * 64)
                writer.add_trial(replace(ended, state=TrialState.RUNNING, checkpoint=None))
                writer.end_attempt(ended, done, {})
    before = store.trial(study.id, 0)
    with store.writer(study.id) as writer:
        writer.release(replace(before, checkpoint=None, released="best 1"))
    assert store.trial(study.id, 0) == replace(before, checkpoint=None, released="best 1")
    assert [row.trial for row in store.checkpoints(study.id)] == [1]
    assert store.refers_to("0" * 64)  # the other study keeps it
    with store.writer(other.id) as writer:
        writer.release(replace(store.trial(other.id, 0), released="front"))
    assert not store.refers_to("0" * 64)
    assert store.refers_to("1" * 64)


def test_a_trial_that_ends_and_releases_in_one_breath_leaves_no_checkpoint(store: Store, study: StudyRow) -> None:
    ended = Trial(0, {}, TrialState.COMPLETE, {"a": 1.0}, 4, 4, "a" * 64)
    with store.writer(study.id) as writer:
        writer.add_trial(ended)
        writer.end_attempt(ended, Attempt(1, Reason.DONE), {})
        writer.release(replace(ended, checkpoint=None, released="front"))
    assert store.checkpoints(study.id) == []
    assert (store.trial(study.id, 0).checkpoint, store.trial(study.id, 0).released) == (None, "front")


def test_an_epoch_knows_its_round_and_an_attempt_what_its_process_reported(store: Store, study: StudyRow) -> None:
    whole = [Epoch(1, {"a": 1.0}, 1.0, round=1, last=True), Epoch(2, {"a": 2.0}, 1.0, round=2)]
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        for epoch in whole:
            writer.record(0, 1, epoch)
        facts = {"device": "cpu", "cached_features": {"images": 5}, "resumed_from": 0}
        writer.end_attempt(Trial(0, {}, TrialState.COMPLETE), Attempt(1, Reason.DONE), facts)
    assert store.history(study.id, 0) == whole
    assert store.trial(study.id, 0).attempts[0].facts == {"device": "cpu", "cached_features": {"images": 5}}
    assert [row["device"] for row in store.environments(study.id)] == ["cpu"]


def test_epochs_are_read_of_some_trials_at_some_epochs_and_by_some_metrics(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        for number in range(150):  # more than one query reads
            writer.add_trial(Trial(number, {}))
            for attempt, span in ((1, range(1, 6)), (2, range(4, 5 + number % 3))):
                writer.start_attempt(number, Attempt(attempt))
                for epoch in span if number % 7 else ():
                    values = {"f1_macro": number + epoch / 10 + attempt / 100, "auc": float(epoch), "loss": math.inf}
                    writer.record(number, attempt, Epoch(epoch, values, 0.5, round=2, last=epoch == 5))
    everything = store.epoch_values(study.id)
    assert list(everything) == [number for number in range(150) if number % 7]
    assert [epoch.number for epoch in everything[3]] == [1, 2, 3, 4]  # the second attempt ended before the first had
    for of, at, names in ((None, {2, 4}, None), ([3, 149, 8, 7], {5}, ["auc"]), (range(70), None, ["f1_macro", "auc"])):
        expected = {
            number: [
                replace(epoch, values={k: v for k, v in epoch.values.items() if names is None or k in names})
                for epoch in epochs
                if at is None or epoch.number in at
            ]
            for number, epochs in everything.items()
            if of is None or number in of
        }
        result = store.epoch_values(study.id, names, of=of, at=at)
        assert result == {number: epochs for number, epochs in expected.items() if epochs}
    assert store.epoch_values(study.id, of=()) == {}


def test_a_trial_that_runs_or_waits_shows_the_epochs_it_has_come_to(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        for epoch in range(1, 6):
            writer.record(0, 1, Epoch(epoch, {"f1_macro": 0.5}, 0.5))
        writer.flush()
        assert store.trials(study.id)[0].epochs == 5
        writer.start_attempt(0, Attempt(2))  # it goes on from what the first left, and has not told an epoch yet
        writer.flush()
        assert store.trials(study.id)[0].epochs == 5
        writer.record(0, 2, Epoch(4, {"f1_macro": 0.5}, 0.5))
    assert store.trial(study.id, 0).epochs == 4
