"""Cached trials equal those of the database, however they came to change."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import event

from fersearch.store import Store, StudyRow
from fersearch.store.events import old_events
from fersearch.store.shared import SharedStore
from fersearch.store.tables import now
from fersearch.store.trial_memory import TrialMemory
from fersearch.trial import Attempt, Epoch, Reason, Trial, TrialState
from tests.store.conftest import make_spec

VALUES = {"f1_macro": 0.5, "train_seconds": 3.0}


def end(store: Store, study: StudyRow, *numbers: int) -> None:
    """Let trials run to their end."""
    with store.writer(study.id) as writer:
        for number in numbers:
            writer.add_trial(Trial(number, {"optimizer": "adam"}))
            writer.start_attempt(number, Attempt(1))
            writer.record(number, 1, Epoch(1, VALUES, 1.0))
            attempt = Attempt(1, Reason.DONE, first_epoch=1, last_epoch=1, seconds=1.0)
            done = Trial(number, {"optimizer": "adam"}, TrialState.COMPLETE, VALUES, 1, 1, attempts=(attempt,))
            writer.end_attempt(done, attempt, {})


def release(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.release(Trial(1, {}, TrialState.COMPLETE, released="front"))


def begin(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(3, {}))
        writer.start_attempt(3, Attempt(1))
        writer.record(3, 1, Epoch(1, VALUES, 1.0))


def wait(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(3, {}), begins=False)


def forget(store: Store, study: StudyRow) -> None:
    end(store, study, 3)
    with store.database.write() as connection:
        connection.execute(old_events(study.id, now() + timedelta(days=1)))


CHANGES: dict[str, Callable[[Store, StudyRow], None]] = {
    "a trial ends": lambda store, study: end(store, study, 3),
    "one begins": begin,
    "one waits": wait,
    "one releases its checkpoint": release,
    "a value is measured later": lambda store, study: store.set_value(study.id, 0, "latency_ms", 2.5),
    "the data has another digest": lambda store, study: store.set_data(study.id, {}, {"": "new"}, {}),
    "the events were pruned": forget,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_cached_trials_equal_the_databases(store: Store, study: StudyRow, change: Callable[..., None]):
    memory = TrialMemory(store.database)
    assert memory.trials(study.id) == {}
    end(store, study, 0, 1, 2)
    assert list(memory.trials(study.id).values()) == store.trials(study.id)
    before = store.trials(study.id)
    change(store, study)
    assert list(memory.trials(study.id).values()) == store.trials(study.id) != before


def test_a_trial_that_goes_on_is_read_again_without_the_others(store: Store, study: StudyRow):
    memory = TrialMemory(store.database)
    end(store, study, 0, 1)
    begin(store, study)
    first = memory.trials(study.id)
    assert memory.trials(study.id) is first
    with store.writer(study.id) as writer:
        writer.record(3, 1, Epoch(2, VALUES, 1.0))
    again = memory.trials(study.id)
    assert (first[3].epochs, again[3].epochs) == (1, 2)
    assert again[0] is first[0]


def test_unchanged_trials_cost_one_short_query(store: Store, study: StudyRow):
    memory = TrialMemory(store.database)
    end(store, study, 0)
    memory.trials(study.id)
    sent: list[str] = []
    event.listen(store.database.engine, "before_cursor_execute", lambda *event_facts: sent.append(event_facts[2]))
    memory.trials(study.id)
    assert len([text for text in sent if text.startswith("SELECT")]) == 1


def test_the_least_recently_requested_studies_make_room(store: Store, study: StudyRow):
    other = store.create_study(make_spec("other"), ())
    memory = TrialMemory(store.database, most=3)
    end(store, study, 0, 1)
    end(store, other, 0, 1)
    loaded = memory.trials(study.id)
    memory.trials(other.id)
    assert memory.trials(study.id) is not loaded
    assert memory.trials(study.id) == loaded


def test_a_study_that_is_not_there_has_no_trials(store: Store):
    assert TrialMemory(store.database).trials(99) == {}


def test_a_shared_store_returns_the_requested_trials_and_stays_open(store: Store, study: StudyRow):
    end(store, study, 0, 1, 2)
    with SharedStore(store.database) as shared:
        assert [trial.number for trial in shared.trials(study.id, of=[2, 0, 9])] == [0, 2]
    assert shared.trials(study.id) == store.trials(study.id)
