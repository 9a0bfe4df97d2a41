"""One driver at a time, and no process waits for a dead one."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from datetime import timedelta

import pytest
from sqlalchemy import update

from fersearch.errors import StoreUnavailable, StudyBusy
from fersearch.store import Lease, Store, StudyRow, lease
from fersearch.store.lease import Holder
from fersearch.store.tables import leases, now
from fersearch.trial import Trial

HOLD = """
import sys, time
from fersearch.store import Lease, Store
store = Store.open(sys.argv[1])
lease = Lease.take(store.database, store.study("faces").id, "faces")
print("held", flush=True)
time.sleep(600)
"""


def change(store: Store, **values: object) -> None:
    with store.database.write() as connection:
        connection.execute(update(leases).values(**values))


def test_a_held_study_is_refused_naming_the_holder(store: Store, study: StudyRow) -> None:
    with Lease.take(store.database, study.id, "faces") as held:
        with pytest.raises(StudyBusy) as caught:
            Lease.take(store.database, study.id, "faces")
        assert not held.lost
    assert caught.value.message.startswith(
        f"study 'faces' is run by process {os.getpid()} on {socket.gethostname()} since 2"
    )
    assert caught.value.message.endswith("UTC")


def test_a_released_lease_may_be_taken(store: Store, study: StudyRow) -> None:
    for _ in range(2):
        with Lease.take(store.database, study.id, "faces") as held:
            held.beat()
    held.release()


def test_two_studies_have_two_drivers(store: Store, study: StudyRow) -> None:
    from tests.store.conftest import make_spec

    other = store.create_study(make_spec("other"))
    with Lease.take(store.database, study.id, "faces"), Lease.take(store.database, other.id, "other"):
        pass


def test_a_killed_holder_loses_the_lease_at_once(store: Store, study: StudyRow, url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(StudyBusy, match=f"process {process.pid} on"):
            Lease.take(store.database, study.id, "faces")
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is dead, and still has its pid
        Lease.take(store.database, study.id, "faces").release()


@pytest.mark.parametrize("change_of", [{"process_started": "1"}, {"boot_id": "another"}])
def test_a_pid_that_is_another_process_now_does_not_hold(
    store: Store, study: StudyRow, change_of: dict[str, str]
) -> None:
    held = Lease.take(store.database, study.id, "faces")
    change(store, **change_of)
    with Lease.take(store.database, study.id, "faces"):
        held.beat()
        assert held.lost
        held.release()
        with pytest.raises(StudyBusy):
            Lease.take(store.database, study.id, "faces")


@pytest.mark.parametrize("place", [{"host": "elsewhere"}, {"pid_namespace": "pid:[1]"}])
def test_a_holder_out_of_sight_lapses_without_beats(
    store: Store, study: StudyRow, place: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_server_start", lambda _: now() - timedelta(days=1))
    held = Lease.take(store.database, study.id, "faces")
    change(store, **place, process_started="1", last_beat_at=now() - timedelta(seconds=50))
    with pytest.raises(StudyBusy):
        Lease.take(store.database, study.id, "faces")
    held.beat()
    change(store, last_beat_at=now() - timedelta(seconds=70))
    Lease.take(store.database, study.id, "faces").release()
    held.beat()
    assert held.lost
    held.release()


def test_a_living_holder_here_keeps_the_lease_however_long_it_is_silent(store: Store, study: StudyRow) -> None:
    with Lease.take(store.database, study.id, "faces"):
        change(store, last_beat_at=now() - timedelta(days=1))
        with pytest.raises(StudyBusy):
            Lease.take(store.database, study.id, "faces")


def test_a_server_that_was_just_started_gives_a_holder_out_of_sight_time_to_beat(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_server_start", lambda _: now() - timedelta(seconds=50))
    with Lease.take(store.database, study.id, "faces") as held:
        change(store, host="elsewhere", last_beat_at=now() - timedelta(seconds=600))
        with pytest.raises(StudyBusy):
            Lease.take(store.database, study.id, "faces")
        held.beat()
        assert not held.lost


def test_when_a_server_was_started_is_known(store: Store, dialect: str) -> None:
    with store.database.read() as connection:
        result = lease._server_start(connection)
    assert result is None if dialect == "sqlite" else result < now()


def test_of_two_that_take_a_lease_at_once_one_gets_it(store: Store, study: StudyRow, url: str) -> None:
    def take(opened: Store) -> None:
        together.wait()
        try:
            got.append(Lease.take(opened.database, study.id, "faces"))
        except StudyBusy:
            refused.append(opened)

    for _ in range(5):
        got: list[Lease] = []
        refused: list[Store] = []
        together = threading.Barrier(4)
        with ExitStack() as stack:
            stores = [stack.enter_context(Store.open(url)) for _ in range(4)]
            threads = [threading.Thread(target=take, args=(opened,)) for opened in stores]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (len(got), len(refused)) == (1, 3)
            got[0].release()


def test_a_writer_whose_lease_was_taken_writes_nothing_more(store: Store, study: StudyRow) -> None:
    held = Lease.take(store.database, study.id, "faces")
    with store.writer(study.id, held) as writer:
        writer.add_trial(Trial(0, {}))
    change(store, boot_id="another")
    with Lease.take(store.database, study.id, "faces"):
        writer = store.writer(study.id, held)
        writer.add_trial(Trial(1, {}))
        with pytest.raises(StudyBusy, match="study 'faces' was taken over by another driver"):
            writer.close()
        assert held.lost
    held.release()
    assert [trial.number for trial in store.trials(study.id)] == [0]


def test_nobody_takes_a_lease_while_its_holder_writes(store: Store, study: StudyRow, url: str) -> None:
    with Lease.take(store.database, study.id, "faces") as held, Store.open(url) as other:
        change(store, boot_id="another")
        with store.database.write() as connection:
            held.assert_held(connection)
            taken = threading.Thread(target=lambda: Lease.take(other.database, study.id, "faces").release())
            taken.start()
            taken.join(0.3)
            assert taken.is_alive()
            held.assert_held(connection)
        taken.join(30)
        assert not taken.is_alive()


def test_the_lease_outlives_a_database_that_is_away(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(lease, "LAPSE_SECONDS", 0.02)
    beats: list[bool] = []

    def beat() -> None:
        beats.append(True)
        raise StoreUnavailable("away")

    with Lease.take(store.database, study.id, "faces") as held:
        monkeypatch.setattr(held, "beat", beat)
        while len(beats) < 10:
            time.sleep(0.01)
        monkeypatch.undo()
        held.beat()
        assert not held.lost


def test_the_thread_beats_and_notices_that_the_lease_is_lost(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.01)
    with Lease.take(store.database, study.id, "faces") as held:
        change(store, token="another")
        held._thread.join(30)
        assert held.lost


def test_a_holder_that_cannot_reach_the_database_takes_the_lease_for_lost(
    store: Store, study: StudyRow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", 0.01)
    monkeypatch.setattr(lease, "LAPSE_SECONDS", 0.05)
    held = Lease.take(store.database, study.id, "faces")
    with store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE leases RENAME TO away")
    held._thread.join(30)
    assert held.lost
    with store.database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO leases")
    held.release()


def test_this_process_is_alive_and_a_finished_one_is_not() -> None:
    assert not Holder.this().is_dead()
    finished = subprocess.Popen(["true"])
    finished.wait()
    assert Holder(**{**vars(Holder.this()), "pid": finished.pid}).is_dead()
