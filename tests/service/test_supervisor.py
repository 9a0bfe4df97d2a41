"""The supervisor brings what runs into line with the queue, whoever started the drivers."""

import asyncio
import errno
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy import select, update

from fersearch.errors import StoreFull, StudyBusy
from fersearch.service import supervisor as module
from fersearch.service.settings import ServiceSettings
from fersearch.service.supervisor import Supervisor
from fersearch.space import Choice, Space
from fersearch.store import Lease, Store
from fersearch.store.control import PAUSE, RUN, SLOTS
from fersearch.store.prior import WarmStart
from fersearch.store.queue import Owner, Queued
from fersearch.store.service_lease import ServiceLease
from fersearch.store.tables import services
from fersearch.study import Budget, Objective, StudySpec, StudyState


class Driver:
    """A driver under a test's control: it holds a lease while it runs and reports the slots that it holds."""

    started: list["Driver"] = []

    def __init__(self, queued: Queued, slots: Any, settings: ServiceSettings, on_exit: Callable[[], None]) -> None:
        self.study, self.slots, self.options = queued.study, list(slots), queued.options
        self.exit_code: int | None = None
        self.stopped = False
        self.on_exit = on_exit
        Driver.started.append(self)

    def stop(self) -> None:
        self.stopped, self.exit_code = True, 130

    def wait(self, seconds: float) -> bool:
        return self.exit_code is not None

    def last_lines(self) -> str:
        return "error: the data is gone"


class Held:
    """A lease that a driver holds, and what it writes."""

    def __init__(self, store: Store, name: str, slots: list[int]) -> None:
        self.store, self.id = store, store.study(name).id
        self.lease = Lease.take(store.database, self.id, name)
        self.tell(slots)

    def tell(self, slots: list[int]) -> None:
        with self.store.writer(self.id, self.lease) as writer:
            writer.study_changed(SLOTS, {"held": slots})

    def requested_slots(self) -> list[int]:
        """The slots that the driver is told to use."""
        with self.store.control(self.id) as control:
            control._fetch()
            return [request.payload["slots"] for request in control.take() if request.kind == SLOTS][-1]


@pytest.fixture
def store(tmp_path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'queue.db'}") as opened:
        yield opened


@pytest.fixture
def supervisor(store: Store, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(module, "DriverProcess", Driver)
    Driver.started = []
    return Supervisor(store, ServiceSettings(), 2)


def queue(store: Store, name: str, owner: str, trials: int = 10, **options: Any) -> None:
    spec = StudySpec(name, "cnn", "faces", (Objective("f1_macro", "max"),), Space({"a": Choice(1)}))
    store.create_studies([(StudySpec(**{**vars(spec), "budget": Budget(trials)}), (), WarmStart())], owner)
    store.enqueue(name, options)


def state(store: Store, name: str) -> StudyState:
    return next(one.state for one in store.studies() if one.name == name)


def test_a_queued_study_gets_all_slots_and_its_options(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada", timeout=60)
    assert state(store, "a") is StudyState.QUEUED
    supervisor.step()
    (driver,) = Driver.started
    assert (driver.study, driver.slots, driver.options) == ("a", [0, 1], {"timeout": 60})
    supervisor.step()
    assert len(Driver.started) == 1


def test_a_rerun_gets_a_slot_once_a_driver_has_left_it_and_keeps_it_to_its_end(store: Store, supervisor: Supervisor):
    async def visit() -> None:
        queue(store, "a", "ada")
        supervisor.step()
        held = Held(store, "a", [0, 1])
        visit = supervisor.reservations.slot("bob", "a", 0)
        entering = asyncio.create_task(visit.__aenter__())
        await asyncio.sleep(0)
        supervisor.step()
        assert held.requested_slots() == [0]
        held.tell([0])
        supervisor.step()
        assert await entering == 1
        store.set_owner(Owner("bob", max_slots=0))
        supervisor.step()
        assert supervisor.assigned == {store.study("a").id: [0]}
        await visit.__aexit__(None, None, None)
        supervisor.step()
        assert held.requested_slots() == [0, 1]
        held.lease.release()

    asyncio.run(visit())


def test_a_rerun_goes_before_the_studies_of_its_owner(store: Store, supervisor: Supervisor):
    async def visit() -> None:
        queue(store, "a", "ada")
        visit = supervisor.reservations.slot("ada", "a", 0)
        entering = asyncio.create_task(visit.__aenter__())
        await asyncio.sleep(0)
        supervisor.step()
        assert [driver.slots for driver in Driver.started] == [[1]]
        assert await entering == 0
        await visit.__aexit__(None, None, None)

    asyncio.run(visit())


def test_another_owner_gets_a_slot_once_a_driver_has_left_it(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada")
    supervisor.step()
    held = Held(store, "a", [0, 1])
    queue(store, "b", "bob")
    supervisor.step()
    assert held.requested_slots() == [0]
    assert [driver.study for driver in Driver.started] == ["a"], "slot 1 is not left yet"
    held.tell([0])
    supervisor.step()
    assert [(driver.study, driver.slots) for driver in Driver.started] == [("a", [0, 1]), ("b", [1])]
    held.lease.release()


@pytest.mark.parametrize("runs_before", [False, True])
def test_the_slots_of_a_driver_that_has_not_reported_any_are_not_assigned(
    store: Store, supervisor: Supervisor, runs_before: bool
):
    queue(store, "a", "ada")
    if runs_before:
        Held(store, "a", [0]).lease.release()
    supervisor.step()
    lease = Lease.take(store.database, store.study("a").id, "a")  # it prepares its data
    queue(store, "b", "bob")
    for _ in range(2):
        supervisor.step()
        assert [driver.study for driver in Driver.started] == ["a"]
    with store.writer(store.study("a").id, lease) as writer:
        writer.study_changed(SLOTS, {"held": [0]})
    supervisor.step()
    assert [(driver.study, driver.slots) for driver in Driver.started] == [("a", [0, 1]), ("b", [1])]
    lease.release()


def test_the_slots_of_a_driver_whose_study_left_the_queue_are_free_once_it_has_exited(
    store: Store, supervisor: Supervisor
):
    queue(store, "a", "ada")
    supervisor.step()
    store.dequeue(store.study("a").id)
    queue(store, "b", "bob")
    supervisor.step()
    assert [driver.study for driver in Driver.started] == ["a"]
    Driver.started[0].exit_code = 0
    supervisor.step()
    assert [(driver.study, driver.slots) for driver in Driver.started] == [("a", [0, 1]), ("b", [0, 1])]


def test_an_old_report_of_slots_outlasts_other_events(store: Store, monkeypatch: pytest.MonkeyPatch):
    queue(store, "a", "ada")
    held = Held(store, "a", [0, 1])
    monkeypatch.setattr("fersearch.store.writer.DAYS", 0)
    for _ in range(2):
        with store.writer(held.id, held.lease) as writer:
            writer.front_changed([])
    assert next(event.kind for event in store.events_after({held.id: 0})) == SLOTS
    assert [one.claimed for one in store.queue()] == [(0, 1)]
    held.lease.release()


def test_a_driver_of_an_earlier_service_is_recognised_and_shares(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada")
    held = Held(store, "a", [0, 1])
    queue(store, "b", "bob")
    supervisor.step()
    assert Driver.started == []
    assert held.requested_slots() == [0]
    held.tell([0])
    supervisor.step()
    assert [(driver.study, driver.slots) for driver in Driver.started] == [("b", [1])]
    held.lease.release()


def test_weights_and_limits_of_owners_count(store: Store, supervisor: Supervisor):
    store.set_owner(Owner("ada", max_slots=0))
    queue(store, "a", "ada")
    queue(store, "b", "bob")
    supervisor.step()
    assert [(driver.study, driver.slots) for driver in Driver.started] == [("b", [0, 1])]


def test_a_paused_study_waits_at_its_place(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada")
    queue(store, "b", "ada")
    assert store.pause("a")
    assert state(store, "a") is StudyState.PAUSED
    supervisor.step()
    assert [driver.study for driver in Driver.started] == ["b"]
    store.enqueue("a", {})
    assert [one.study for one in store.queue()] == ["a", "b"]


def test_a_study_whose_budget_is_used_up_leaves_the_queue(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada")
    supervisor.step()
    store.set_finished(store.study("a").id)
    assert state(store, "a") is StudyState.COMPLETE, "though its driver has not exited yet"
    Driver.started[0].exit_code = 0
    supervisor.step()
    assert supervisor._wake.is_set(), "its rows are complete now: it leaves the queue at once"
    supervisor.step()
    assert store.queue() == []
    assert len(Driver.started) == 1


def test_a_study_that_is_resumed_while_its_driver_leaves_goes_on(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada")
    supervisor.step()
    store.pause("a")
    store.enqueue("a", {})
    Driver.started[0].exit_code = 0  # as the pause had asked
    supervisor.step()
    supervisor.step()
    assert [driver.study for driver in Driver.started] == ["a", "a"]


def test_a_run_whose_own_time_is_up_leaves_the_queue(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada", timeout=60)
    supervisor.step()
    Driver.started[0].exit_code = 0
    supervisor.step()
    assert store.queue() == []


def test_an_interrupted_driver_is_started_again(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada")
    supervisor.step()
    Driver.started[0].exit_code = 130
    supervisor.step()
    supervisor.step()
    assert [driver.study for driver in Driver.started] == ["a", "a"]


def test_a_failure_leaves_the_queue_and_its_reason_a_row(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada")
    queue(store, "b", "ada")
    supervisor.step()
    Driver.started[0].exit_code = 2
    supervisor.step()
    (event,) = store.events_after({store.study("a").id: 0})
    assert (event.kind, event.data) == ("failed", {"exit_code": 2, "message": "error: the data is gone"})
    assert [driver.study for driver in Driver.started] == ["a", "b"]


def test_a_failure_that_cannot_be_stored_is_stored_later_and_not_tried_again(
    store: Store, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
):
    queue(store, "a", "ada")
    supervisor.step()
    Driver.started[0].exit_code = 1
    with monkeypatch.context() as patch:
        patch.setattr(Lease, "take", Mock(side_effect=StoreFull("the disk is full")))
        for _ in range(2):
            with pytest.raises(StoreFull):
                supervisor.step()
    assert store.events_after({store.study("a").id: 0}) == []
    supervisor.step()
    (event,) = store.events_after({store.study("a").id: 0})
    assert event.data["message"] == "error: the data is gone"
    assert (store.queue(), len(Driver.started)) == ([], 1)


def test_a_driver_whose_log_finds_no_room_is_begun_later(
    store: Store, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    queue(store, "a", "ada")
    with monkeypatch.context() as patch:
        patch.setattr(module, "DriverProcess", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
        patch.setattr(supervisor._wake, "wait", lambda _: supervisor._closed.set())
        supervisor._run()
    assert caplog.messages == ["the queue waits: [Errno 28] No space left on device"]
    supervisor.step()
    assert [driver.study for driver in Driver.started] == ["a"]


def test_at_the_end_drivers_save_and_the_queue_stays(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada")
    supervisor.step()
    supervisor._thread.start()
    supervisor.close()
    assert Driver.started[0].stopped
    assert [one.study for one in store.queue()] == ["a"]


def test_options_of_a_run_count_for_one_that_begins(store: Store, supervisor: Supervisor):
    queue(store, "a", "ada", trials=10)
    store.enqueue("a", {"timeout": 60})
    assert [one.options for one in store.queue()] == [{"timeout": 60}]
    held = Held(store, "a", [0, 1])
    with pytest.raises(StudyBusy, match="study 'a' runs; trials cannot be changed now"):
        store.enqueue("a", {"trials": 40})
    held.lease.release()


def test_a_study_that_is_stopped_while_it_is_paused_is_paused_no_longer(store: Store):
    queue(store, "a", "ada")
    store.pause("a")
    assert store.dequeue(store.study("a").id)
    assert state(store, "a") is StudyState.IDLE


def test_a_service_that_lost_its_lease_starts_nothing(store: Store, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "DriverProcess", Driver)
    Driver.started = []
    with ServiceLease.take(store.database, "http://one") as lease:
        with store.database.write() as connection:
            connection.execute(update(services).values(token="other"))
        lease.beat()
        queue(store, "a", "ada")
        with pytest.raises(StudyBusy, match="another service has taken over"):
            Supervisor(store, ServiceSettings(), 2, lease).step()
    assert Driver.started == []
    with store.database.read() as connection:
        assert connection.execute(select(services.c.token)).scalar() == "other", (
            "it released a lease that is not its own"
        )


def test_a_pause_that_comes_before_the_drivers_lease_is_heeded(store: Store):
    queue(store, "a", "ada")
    store.pause("a")
    study = store.study("a")
    with Lease.take(store.database, study.id, "a", resume=False), store.control(study.id) as control:
        control._fetch()
        assert [request.kind for request in control.take()] == [PAUSE]
    with Lease.take(store.database, study.id, "a"), store.control(study.id) as control:
        control._fetch()
        assert control.take() == []


def test_a_request_to_run_is_no_request_to_the_driver(store: Store):
    queue(store, "a", "ada")
    store.pause("a")
    with store.control(store.study("a").id) as control:
        control._fetch()
        kinds = [request.kind for request in control.take()]
    assert kinds == [PAUSE]
    assert RUN not in kinds
