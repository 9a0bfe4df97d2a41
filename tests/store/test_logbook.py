"""Requests, looks and environments."""

import time
from dataclasses import replace

import pytest

from fersearch.errors import StoreUnavailable, UnknownName
from fersearch.store import Control, Lease, Request, Store, StudyRow, control
from fersearch.study import Budget, Constraint
from fersearch.trial import Attempt, Reason, Trial, TrialState
from tests.store.conftest import make_spec


@pytest.fixture(autouse=True)
def _poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "POLL_SECONDS", 0.01)


def arrived(box: Control, count: int) -> list[Request]:
    result: list[Request] = []
    while len(result) < count:
        result += box.take()
        time.sleep(0.005)
    return result


def test_requests_are_taken_once_in_their_order(store: Store, study: StudyRow) -> None:
    other = store.create_study(make_spec("other"))
    store.request(study.id, "enqueue", {"learning_rate": 0.1})
    store.request(study.id, "pause", {})
    store.request(other.id, "stop", {})
    with store.control(study.id) as box:
        taken = arrived(box, 2)
        assert [(request.kind, request.payload) for request in taken] == [
            ("enqueue", {"learning_rate": 0.1}),
            ("pause", {}),
        ]
        assert box.take() == []
        store.request(study.id, "resume", {})
        assert [request.kind for request in arrived(box, 1)] == ["resume"]
    with store.control(study.id) as box, store.control(other.id) as others:
        assert [request.kind for request in arrived(others, 1)] == ["stop"]
        assert box.take() == []


def test_no_request_is_lost_or_repeated_while_the_database_comes_and_goes(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def marked(connection: object, result: list[Request]) -> None:
        marks.append(len(result))
        if len(marks) < 4:
            raise StoreUnavailable("the answer got lost")
        real(connection, result)  # type: ignore[arg-type]

    marks: list[int] = []
    real = control._mark_taken
    monkeypatch.setattr(control, "_mark_taken", marked)
    store.request(study.id, "stop", {})
    with store.control(study.id) as box:
        assert [request.kind for request in arrived(box, 1)] == ["stop"]
        while len(marks) < 4:
            time.sleep(0.01)
        assert box.take() == []
    with store.control(study.id) as box:
        time.sleep(0.1)
        assert box.take() == []


def test_a_stop_without_a_driver_stores_nothing_and_one_with_it_reaches_it(store: Store, study: StudyRow) -> None:
    assert not store.request_stop(study.name)
    with Lease.take(store.database, study.id, study.name), store.control(study.id) as requests:
        time.sleep(0.05)
        assert requests.take() == []
        assert store.request_stop(study.name)
        assert [request.kind for request in arrived(requests, 1)] == ["stop"]
    with pytest.raises(UnknownName, match="unknown study 'other'"):
        store.request_stop("other")


def test_a_run_ignores_requests_to_an_earlier_one(store: Store, study: StudyRow) -> None:
    with Lease.take(store.database, study.id, study.name):
        store.request_stop(study.name)
        store.request(study.id, "enqueue", {})
    with Lease.take(store.database, study.id, study.name), store.control(study.id) as requests:
        assert [request.kind for request in arrived(requests, 1)] == ["enqueue"]


def state_of(store: Store) -> str:
    return store.studies()[0].state


def test_a_study_is_running_stopped_idle_or_complete(store: Store, study: StudyRow) -> None:
    assert state_of(store) == "idle"
    with Lease.take(store.database, study.id, study.name):
        assert state_of(store) == "running"
        store.request_stop(study.name)
        assert state_of(store) == "running"
    assert state_of(store) == "stopped"
    with Lease.take(store.database, study.id, study.name):
        store.set_finished(study.id)
    assert state_of(store) == "complete"
    with Lease.take(store.database, study.id, study.name):
        pass
    assert state_of(store) == "idle"


@pytest.mark.parametrize(
    "budget", [Budget(1), Budget(9, timeout=5.0)], ids=["its trials have ended", "its time is used up"]
)
def test_a_study_whose_budget_is_used_up_is_complete(store: Store, study: StudyRow, budget: Budget) -> None:
    store.update_budget(study.id, budget)
    with store.writer(study.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
    assert state_of(store) == "idle"
    with store.writer(study.id) as writer:
        writer.end_attempt(Trial(0, {}, TrialState.FAILED), Attempt(1, Reason.ERROR), {})
        writer.add_seconds(5.0)
    assert state_of(store) == "complete"


@pytest.mark.parametrize(("bounds", "state"), [((), "complete"), ((Constraint("gflops", "<=", 0.1),), "idle")])
def test_what_broke_a_bound_before_training_uses_up_no_budget(
    store: Store, bounds: tuple[Constraint, ...], state: str
) -> None:
    bounded = store.create_study(replace(make_spec("bounded"), budget=Budget(1), where=bounds))
    with store.writer(bounded.id) as writer:
        writer.add_trial(Trial(0, {}))
        writer.start_attempt(0, Attempt(1))
        writer.end_attempt(Trial(0, {}, TrialState.INFEASIBLE), Attempt(1, Reason.INFEASIBLE), {})
    assert state_of(store) == state
    store.request(bounded.id, "run", {})
    (queued,) = store.queue()
    assert (queued.trials_left, queued.over) == ((0, True) if state == "complete" else (1, False))


def test_looks_are_stored_in_order(store: Store, study: StudyRow) -> None:
    for count, n in enumerate((10, 20), 1):
        assert store.add_look(study.uid, "a" * 64, "ferplus", "test", n, {"accuracy": 0.5}) == count
    assert store.add_look(None, "b" * 64, "ferplus", "test", 30, {}) == 1
    assert store.add_look("f" * 32, "b" * 64, "ferplus", "test", 40, {}) == 1
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
