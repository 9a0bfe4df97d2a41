"""Requests, looks and environments."""

from fersearch.store import Store, StudyRow
from fersearch.trial import Attempt, Reason, Trial
from tests.store.conftest import make_spec


def test_requests_are_taken_once_in_their_order(store: Store, study: StudyRow) -> None:
    other = store.create_study(make_spec("other"))
    store.request(study.id, "enqueue", {"learning_rate": 0.1})
    store.request(study.id, "pause", {})
    store.request(other.id, "stop", {})
    taken = store.take_requests(study.id)
    assert [(request.kind, request.payload) for request in taken] == [
        ("enqueue", {"learning_rate": 0.1}),
        ("pause", {}),
    ]
    assert store.take_requests(study.id) == []
    assert [request.kind for request in store.take_requests(other.id)] == ["stop"]


def test_looks_are_kept_in_their_order(store: Store, study: StudyRow) -> None:
    for n in (10, 20):
        store.add_look("faces", "a" * 64, "ferplus", "test", n, {"accuracy": 0.5})
    store.add_look(None, "b" * 64, "ferplus", "test", 30, {})
    store.add_look("a study of another database", "b" * 64, "ferplus", "test", 40, {})
    assert [(look.checkpoint, look.split, look.n, look.metrics) for look in store.looks(study.id)] == [
        ("a" * 64, "test", 10, {"accuracy": 0.5}),
        ("a" * 64, "test", 20, {"accuracy": 0.5}),
    ]


def test_equal_facts_are_one_environment(store: Store, study: StudyRow) -> None:
    first = store.environment(study.id, {"torch": "2.6", "device": "cpu"})
    assert store.environment(study.id, {"device": "cpu", "torch": "2.6"}) == first
    assert store.environment(study.id, {"torch": "2.7", "device": "cpu"}) != first
    assert store.environments(study.id) == [{"torch": "2.6", "device": "cpu"}, {"torch": "2.7", "device": "cpu"}]


def test_attempts_share_an_environment_whatever_they_measured(store: Store, study: StudyRow) -> None:
    with store.writer(study.id) as writer:
        for number in (0, 1):
            writer.add_trial(Trial(number, {}))
            writer.start_attempt(number, Attempt(1))
            facts = {"device": "cpu", "seconds_to_first_step": 0.1 * number, "resumed_from": number}
            writer.end_attempt(Trial(number, {}), Attempt(1, Reason.INTERRUPTED), facts)
    assert store.environments(study.id) == [{"device": "cpu"}]
    with store.database.read() as connection:
        columns = "environment_id, resumed_from, seconds_to_first_step"
        rows = connection.exec_driver_sql(f"SELECT {columns} FROM attempts ORDER BY trial").fetchall()
    assert [tuple(row)[1:] for row in rows] == [(0, 0.0), (1, 0.1)]
    assert rows[0][0] == rows[1][0]
