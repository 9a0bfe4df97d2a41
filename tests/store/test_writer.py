"""The writer loses nothing, repeats nothing and hides no error."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event, select

from fersearch.errors import StoreError, StoreUnavailable
from fersearch.store import Store, StudyRow
from fersearch.store import writer as writer_module
from fersearch.store.tables import epochs, now
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState


def test_a_replay_changes_nothing(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        for _ in range(2):
            writer.add_trial(Trial(0, {"a": 1}, TrialState.RUNNING))
            writer.start_attempt(0, Attempt(1, pid=5))
            writer.record(0, 1, Epoch(1, {"f1_macro": 0.5}, 1.0, confusion=[[1]]))
            writer.flush()
    assert store.history(study.id, 0) == [Epoch(1, {"f1_macro": 0.5}, 1.0, confusion=[[1]])]
    assert len(store.trial(study.id, 0).attempts) == 1


def test_the_first_word_on_an_epoch_counts(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        writer.record(0, 1, Epoch(1, {"f1_macro": 0.5}, 1.0))
        writer.record(0, 1, Epoch(1, {"f1_macro": 0.9}, 2.0))
    assert store.history(study.id, 0) == [Epoch(1, {"f1_macro": 0.5}, 1.0)]


def test_epochs_that_were_recorded_before_may_come_again_among_new_ones(store: Store, study: StudyRow) -> None:
    written = [Epoch(number, {"f1_macro": number / 10}, 1.0, confusion=[[number]]) for number in range(1, 400)]
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        for epochs_told in (written[:300], written[200:]):
            for epoch in epochs_told:
                writer.record(0, 1, epoch)
            writer.flush()
    assert store.history(study.id, 0) == written


@pytest.mark.parametrize("flush", [False, True])
def test_starting_an_attempt_makes_its_trial_running(store: Store, study: StudyRow, flush: bool) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {"a": 1}))
        if flush:
            writer.flush()
        writer.start_attempt(0, Attempt(1, pid=5, log="/log"))
    result = store.trial(study.id, 0)
    assert (result.state, result.params) == (TrialState.RUNNING, {"a": 1})
    assert result.attempts == (Attempt(1, pid=5, log="/log"),)


def test_the_last_word_on_a_trial_counts(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}, TrialState.RUNNING, values={"a": 1.0, "b": 2.0}))
        writer.start_attempt(0, Attempt(1))
        writer.update_trial(Trial(0, {}, TrialState.WAITING, values={"b": 3.0}, epochs=2))
    result = store.trial(study.id, 0)
    assert (result.state, result.values, result.epochs) == (TrialState.WAITING, {"b": 3.0}, 2)


def test_the_end_of_an_attempt_is_committed_at_once_and_nobody_waits(
    store: Store, study: StudyRow, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "BATCH_SECONDS", 600.0)
    committed = threading.Event()
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        writer.record(0, 1, Epoch(1, {"f1_macro": 0.5}, 1.0))
        writer.after_commit(committed.set)
        assert not committed.is_set()
        ended = Trial(0, {}, TrialState.COMPLETE, {"f1_macro": 0.5}, 1, 1, "c" * 64)
        writer.end_attempt(ended, Attempt(1, Reason.DONE), {"torch": "2.6"})
        assert committed.wait(60)
        with Store.open(url) as other:
            assert other.trial(study.id, 0).state is TrialState.COMPLETE
            assert len(other.history(study.id, 0)) == 1
            assert other.environments(study.id) == [{"torch": "2.6"}]


def test_many_calls_share_a_transaction(store: Store, study: StudyRow) -> None:
    commits = []
    event.listen(store.database.engine, "commit", commits.append)
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        for number in range(1, 501):
            writer.record(0, 1, Epoch(number, {"f1_macro": 0.5}, 1.0))
    assert len(store.history(study.id, 0)) == 500
    assert len(commits) < 50


def test_queued_rows_are_written_without_a_flush(store: Store, study: StudyRow) -> None:
    done = threading.Event()
    event.listen(store.database.engine, "commit", lambda _: done.set())
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        assert done.wait(30)


def test_a_full_queue_waits_for_room_and_loses_nothing(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT", 3)
    with store.writer(study.id) as writer:
        for number in range(50):
            writer.add_trial(Trial(number, {}))
    assert len(store.trials(study.id)) == 50


def test_an_error_of_the_thread_is_raised_by_this_and_every_later_call(store: Store, study: StudyRow) -> None:
    writer = store.writer(study.id)
    writer.record(5, 1, Epoch(1, {}, 1.0))
    with pytest.raises(StoreError, match=r"(?i)foreign key") as caught:
        writer.flush()
    assert caught.value.hint == "the study or the trial is not in the database: was it deleted meanwhile?"
    for call in (writer.flush, lambda: writer.add_trial(Trial(0, {})), lambda: writer.record(0, 1, Epoch(1, {}, 1.0))):
        with pytest.raises(StoreError, match=r"(?i)foreign key"):
            call()
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        writer.end_attempt(Trial(0, {}), Attempt(1), {})
    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        writer.close()
    assert store.trials(study.id) == []


def test_a_value_that_cannot_be_written_is_an_error_too(store: Store, study: StudyRow) -> None:
    writer = store.writer(study.id)
    writer.add_trial(Trial(0, {"net": object()}))  # type: ignore[dict-item]
    with pytest.raises(StoreError, match="not JSON serializable"):
        writer.flush()


def test_a_writer_that_waits_for_room_hears_of_the_error(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT", 1)
    writer = store.writer(study.id)

    def record() -> None:
        for number in range(1, 10_000):
            writer.record(5, 1, Epoch(number, {}, 1.0))

    with pytest.raises(StoreError, match=r"(?i)foreign key"):
        record()


class Outage:
    """Lets the database of a store go away, before it commits or just after."""

    def __init__(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        self._write = store.database.write
        self.away = self.answers_get_lost = False
        self.tries = 0
        patch.setattr(store.database, "write", self.write)
        patch.setattr(writer_module, "PAUSES", (0.01,))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self.tries += 1
        if self.away:
            raise StoreUnavailable("the database is away", "call it back")
        with self._write() as connection:
            yield connection
        if self.answers_get_lost:
            raise StoreUnavailable("the answer got lost")

    def until_tried(self, times: int) -> None:
        goal = self.tries + times
        while self.tries < goal:
            time.sleep(0.005)


@pytest.fixture
def outage(store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch) -> Outage:
    return Outage(store, monkeypatch)


@pytest.mark.parametrize("batch_limit", [4096, 7])
def test_an_outage_is_ridden_out_in_order_and_nobody_waits(
    store: Store, study: StudyRow, outage: Outage, batch_limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "BATCH_LIMIT", batch_limit)
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        writer.flush()
        outage.away = True
        for number in range(1, 101):
            writer.record(0, 1, Epoch(number, {"a": float(number)}, 1.0))
        writer.end_attempt(Trial(0, {}, TrialState.COMPLETE, epochs=100), Attempt(1, Reason.DONE), {"torch": "2"})
        outage.until_tried(3)
        assert writer.outage > 0
        assert not writer.must_stop
        assert store.history(study.id, 0) == []
        outage.away = False
        writer.flush()
        assert writer.outage == 0
    assert [epoch.number for epoch in store.history(study.id, 0)] == list(range(1, 101))
    assert store.trial(study.id, 0).state is TrialState.COMPLETE


def test_a_commit_whose_answer_got_lost_is_made_again_and_changes_nothing(
    store: Store, study: StudyRow, outage: Outage
) -> None:
    with store.writer(study.id) as writer:
        outage.answers_get_lost = True
        writer.add_trial(Trial(0, {"a": 1}))
        writer.start_attempt(0, Attempt(1))
        writer.record(0, 1, Epoch(1, {"a": 0.5}, 1.0, confusion=[[1]]))
        writer.add_seconds(2.0)
        ended = Trial(0, {"a": 1}, TrialState.COMPLETE, {"a": 0.5}, 1, 1, "c" * 64)
        writer.end_attempt(ended, Attempt(1, Reason.DONE), {"torch": "2"})
        outage.until_tried(5)
        outage.answers_get_lost = False
    result = store.trial(study.id, 0)
    assert (result.state, result.values, len(result.attempts)) == (TrialState.COMPLETE, {"a": 0.5}, 1)
    assert store.history(study.id, 0) == [Epoch(1, {"a": 0.5}, 1.0, confusion=[[1]])]
    assert len(store.checkpoints(study.id)) == len(store.environments(study.id)) == 1
    assert store.study("faces").seconds == 2.0


def test_rows_tell_when_things_happened_and_not_when_they_were_written(
    store: Store, study: StudyRow, outage: Outage
) -> None:
    with store.writer(study.id) as writer:
        outage.away = True
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        writer.record(0, 1, Epoch(1, {}, 1.0))
        recorded = now()
        outage.until_tried(3)
        outage.away = False
    with store.database.read() as connection:
        assert connection.execute(select(epochs.c.recorded_at)).scalar_one() <= recorded


def test_what_follows_a_commit_waits_for_it(store: Store, study: StudyRow, outage: Outage) -> None:
    done: list[int] = []
    with store.writer(study.id) as writer:
        outage.away = True
        writer.add_trial(Trial(0, {}))
        writer.after_commit(lambda: done.append(len(store.trials(study.id))))
        outage.until_tried(3)
        assert done == []
        outage.away = False
    assert done == [1]


def test_running_time_adds_up_over_writers(store: Store, study: StudyRow) -> None:
    for _ in range(2):
        with store.writer(study.id) as writer:
            writer.add_seconds(1.5)
            writer.flush()
            writer.add_seconds(2.0)
    assert store.study("faces").seconds == 7.0


def test_after_too_long_an_outage_the_study_must_stop_and_its_last_writes_never_wait(
    store: Store, study: StudyRow, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "OUTAGE_SECONDS", 0.1)
    monkeypatch.setattr(writer_module, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(writer_module, "QUEUE_LIMIT", 2)
    done: list[bool] = []
    writer = store.writer(study.id)
    outage.away = True
    writer.add_trial(Trial(0, {}))
    for number in range(1, 9):  # waits for room until the outage is too long
        writer.record(0, 1, Epoch(number, {}, 1.0))
    assert writer.must_stop
    writer.after_commit(lambda: done.append(True))
    with pytest.raises(StoreUnavailable, match=r"the database is away \(for .* changes of the study are not in it"):
        writer.flush()
    with pytest.raises(StoreUnavailable) as caught:
        writer.close()
    assert caught.value.hint.endswith("when the database is back, continue with: fersearch study run NAME")
    assert done == []
    assert store.trials(study.id) == []


def test_a_database_that_is_back_before_the_study_has_stopped_loses_nothing(
    store: Store, study: StudyRow, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "OUTAGE_SECONDS", 0.05)
    with store.writer(study.id) as writer:
        outage.away = True
        writer.add_trial(Trial(0, {}))
        while not writer.must_stop:
            time.sleep(0.01)
        outage.away = False
    assert len(store.trials(study.id)) == 1


def test_a_run_that_ends_in_an_outage_does_not_wait_for_ever(
    store: Store, study: StudyRow, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "CLOSING_SECONDS", 0.05)
    writer = store.writer(study.id)
    outage.away = True
    writer.add_trial(Trial(0, {}))
    with pytest.raises(StoreUnavailable, match="the last 1 changes"):
        writer.close()


def test_a_database_that_does_not_answer_counts_as_away(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    real = store.database.write

    @contextmanager
    def stand_still() -> Iterator[Connection]:
        held.wait()
        with real() as connection:
            yield connection

    monkeypatch.setattr(writer_module, "ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(store.database, "write", stand_still)
    with store.writer(study.id) as writer:
        writer.end_attempt(Trial(0, {}), Attempt(1, Reason.INTERRUPTED), {})  # does not wait
        deadline = time.monotonic() + 60
        while not writer.outage and time.monotonic() < deadline:
            time.sleep(0.01)
        assert writer.outage > 0
        held.set()
    assert len(store.trials(study.id)) == 1


def test_a_closed_writer_says_so_and_may_be_closed_again(store: Store, study: StudyRow) -> None:
    writer = store.writer(study.id)
    writer.close()
    writer.close()
    with pytest.raises(StoreError, match="closed"):
        writer.add_trial(Trial(0, {}))


def test_an_error_under_way_is_not_hidden_by_the_writers_own(store: Store, study: StudyRow) -> None:
    def fail() -> None:
        with store.writer(study.id) as writer:
            writer.record(5, 1, Epoch(1, {}, 1.0))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()


def test_texts_that_no_database_can_store_stay_readable(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1, message="a\0b", traceback="c\0d\udcff", facts={"e": "\0\udcff"}))
    attempt = store.trial(study.id, 0).attempts[0]
    assert (attempt.message, attempt.traceback) == ("a\\0b", "c\\0d\\udcff")
    assert attempt.facts == {"e": "\0\udcff"}


def test_a_trial_that_begins_again_has_only_its_new_epochs(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        for attempt, epochs in ((1, 3), (2, 1)):
            writer.start_attempt(0, Attempt(attempt))
            if attempt == 2:
                writer.flush()
                writer.forget_epochs(0, attempt)
                writer.flush()
                assert store.history(study.id, 0) == []
            for number in range(1, epochs + 1):
                writer.record(0, attempt, Epoch(number, {"f1_macro": attempt / 10}, 1.0))
    assert [(epoch.number, epoch.values) for epoch in store.history(study.id, 0)] == [(1, {"f1_macro": 0.2})]
    assert [attempt.last_epoch for attempt in store.trial(study.id, 0).attempts] == [3, 1]
