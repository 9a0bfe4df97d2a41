"""A full disk under the database is waited for, and named when it stays full."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from fersearch.errors import StoreError
from fersearch.store import Store, StudyRow
from fersearch.store import writer as writer_module
from fersearch.trial import Trial

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def fill_disk(store: Store) -> Callable[[], None]:
    """Let the database have no room from its next connection on; returns what makes room."""

    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    pages = 1
    event.listen(store.database.engine, "checkout", limit)

    def make_room() -> None:
        nonlocal pages
        pages = 1_000_000

    return make_room


def test_a_full_disk_is_waited_for(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        make_room = fill_disk(store)
        writer.add_trial(Trial(0, {"text": "x" * 1_000_000}))
        while not writer.outage:
            time.sleep(0.01)
        assert "disk is full" in writer.trouble
        make_room()
        writer.flush()
        assert [trial.number for trial in store.trials(study.id)] == [0]


def test_a_disk_that_stays_full_is_named_and_what_was_committed_stays(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
    fill_disk(store)
    monkeypatch.setattr(writer_module, "OUTAGE_SECONDS", 0.05)
    writer = store.writer(study.id)
    writer.add_trial(Trial(1, {"text": "x" * 1_000_000}))
    with pytest.raises(StoreError, match="disk is full") as caught:
        writer.flush()
    assert "free disk space" in caught.value.hint
    assert [trial.number for trial in store.trials(study.id)] == [0]
