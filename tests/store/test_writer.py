"""The writer loses nothing, repeats nothing and hides no error."""

import threading

import pytest
from sqlalchemy import event

from fersearch.errors import StoreError
from fersearch.store import Store, StudyRow
from fersearch.store import writer as writer_module
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


@pytest.mark.parametrize("flush", [False, True])
def test_starting_an_attempt_makes_its_trial_running(store: Store, study: StudyRow, flush: bool) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {"a": 1}))
        if flush:
            writer.flush()
        writer.start_attempt(0, Attempt(1, pid=5, log="/log"))
    found = store.trial(study.id, 0)
    assert (found.state, found.params) == (TrialState.RUNNING, {"a": 1})
    assert found.attempts == (Attempt(1, pid=5, log="/log"),)


def test_the_last_word_on_a_trial_counts(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}, TrialState.RUNNING, values={"a": 1.0, "b": 2.0}))
        writer.start_attempt(0, Attempt(1))
        writer.update_trial(Trial(0, {}, TrialState.WAITING, values={"b": 3.0}, epochs=2))
    found = store.trial(study.id, 0)
    assert (found.state, found.values, found.epochs) == (TrialState.WAITING, {"b": 3.0}, 2)


def test_the_end_of_an_attempt_is_committed_when_the_call_returns(store: Store, study: StudyRow, url: str) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        writer.record(0, 1, Epoch(1, {"f1_macro": 0.5}, 1.0))
        ended = Trial(0, {}, TrialState.COMPLETE, {"f1_macro": 0.5}, 1, 1, "c" * 64)
        writer.end_attempt(ended, Attempt(1, Reason.DONE), {"torch": "2.6"})
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


def test_what_is_queued_is_written_without_being_asked(store: Store, study: StudyRow) -> None:
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


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_full_disk_is_named_and_what_was_committed_stays(store: Store, study: StudyRow) -> None:
    def limit(connection: object, *_: object) -> None:
        connection.execute("PRAGMA max_page_count=1")  # type: ignore[attr-defined]

    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
    event.listen(store.database.engine, "checkout", limit)
    writer = store.writer(study.id)
    writer.add_trial(Trial(1, {"text": "x" * 1_000_000}))
    with pytest.raises(StoreError, match="disk is full") as caught:
        writer.flush()
    assert "make room on the disk" in caught.value.hint
    assert [trial.number for trial in store.trials(study.id)] == [0]


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


def test_texts_that_no_database_can_keep_are_kept_readable(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1, message="a\0b", traceback="c\0d\udcff", facts={"e": "\0\udcff"}))
    attempt = store.trial(study.id, 0).attempts[0]
    assert (attempt.message, attempt.traceback) == ("a\\0b", "c\\0d\\udcff")
    assert attempt.facts == {"e": "\0\udcff"}
