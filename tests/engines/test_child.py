"""The child's side of the connection: heartbeats that never block, and requests to leave."""

import os
import signal
import socket
from multiprocessing.connection import Connection

import pytest

from fersearch.engines import child, machine
from fersearch.engines.child import DriverGone, Reporter, receive, send
from fersearch.engines.machine import Machine
from fersearch.engines.quiet import TRIES
from fersearch.training.pauses import paused
from fersearch.trial import Decision, Epoch, Outcome, Reason

EPOCH = Epoch(1, {"f1_macro": 0.5}, seconds=1.0, confusion=[[1]])


@pytest.fixture
def driver():
    ours, theirs = socket.socketpair()
    with Connection(ours.detach()) as driver, Connection(theirs.detach()) as other:
        driver.other = other
        yield driver


@pytest.fixture
def reporter(driver):
    before = signal.getsignal(signal.SIGTERM)
    yield Reporter(driver.other)
    signal.signal(signal.SIGTERM, before)


def beats(driver):
    count = 0
    while driver.poll():
        assert "beat" in receive(driver)
        count += 1
    return count


def test_steps_in_quick_succession_give_one_beat(driver, reporter):
    assert not any(reporter.pulse() for _ in range(1000))
    assert beats(driver) in (1, 2)


def test_unread_heartbeats_are_dropped_and_later_ones_are_read(driver, reporter, monkeypatch):
    monkeypatch.setattr(child, "BEAT", 0.0)
    for _ in range(100_000):
        reporter.pulse()
    assert 0 < beats(driver) < 50_000
    reporter.pulse()
    assert beats(driver) == 1


def test_saved_states_are_reported_and_never_block(driver, reporter):
    reporter.saved()
    assert receive(driver) == {"saved": True}
    for _ in range(100_000):
        reporter.saved()
    assert driver.poll()


def test_the_result_of_a_rehearsal_is_reported_and_the_decision_awaited(driver, reporter):
    known = {"shape": "a", "memory_format": "contiguous"}
    assert reporter.settle(known) == "contiguous"
    for message in ({"leave": True}, {"format": "channels_last"}):
        send(driver, message)
    assert reporter.settle({**known, "seconds": 0.2}) == "channels_last"
    assert [receive(driver) for _ in range(2)] == [{"rehearsed": known}, {"rehearsed": {**known, "seconds": 0.2}}]
    assert reporter.preempted


def test_the_drivers_word_and_sigterm_say_to_leave(driver, reporter, monkeypatch):
    monkeypatch.setattr(child, "BEAT", 0.0)
    assert not reporter.pulse()
    send(driver, {"leave": True})
    assert reporter.pulse()
    other = Reporter(reporter.connection)
    assert not other.pulse()
    os.kill(os.getpid(), signal.SIGTERM)
    assert other.pulse()


def test_a_word_to_leave_that_comes_before_the_decision_is_heeded(driver, reporter):
    send(driver, {"leave": True})
    send(driver, {"decision": Decision.CONTINUE})
    assert reporter.report(EPOCH) is Decision.INTERRUPT
    reporter.finish(Outcome(Reason.INTERRUPTED, "saved after epoch 1"))
    assert "epoch" in receive(driver)
    assert receive(driver)["outcome"]["reason"] == "preempted"


def test_a_trial_that_is_to_stop_is_stopped_though_it_is_to_leave(driver, reporter):
    send(driver, {"leave": True})
    send(driver, {"decision": Decision.STOP})
    assert reporter.report(EPOCH) is Decision.STOP


def test_a_pulse_finds_that_the_driver_has_gone(driver, reporter):
    driver.close()
    with pytest.raises(DriverGone):
        reporter.pulse()


def test_a_paused_trial_reports_it_and_continues_on_request(driver, reporter):
    before = paused()
    for message in ({"pause": 5.0, "turn": 3}, {"resume": True}):
        send(driver, message)
    assert not reporter.pulse()
    assert receive(driver) == {"paused": 3}
    assert 0 < paused() - before < 1


def test_a_paused_trial_goes_on_by_itself_when_the_time_is_up_or_it_is_to_leave(driver, reporter):
    send(driver, {"pause": 0.05, "turn": 1})
    assert not reporter.pulse()
    for message in ({"pause": 5.0, "turn": 2}, {"leave": True}):
        send(driver, message)
    assert reporter.pulse()
    messages = [receive(driver) for _ in range(5)]
    assert [message for message in messages if "beat" not in message] == [
        {which: k} for k in (1, 2) for which in ("paused", "resumed")
    ]


def test_a_decision_that_comes_during_a_pause_is_read_after_it(driver, reporter):
    for message in ({"pause": 5.0, "turn": 1}, {"decision": Decision.STOP}, {"resume": True}):
        send(driver, message)
    assert reporter.report(EPOCH) is Decision.STOP


@pytest.mark.parametrize(("seconds", "alone", "expected"), [(1.5, True, 1.5), (1.5, False, None), (0, True, None)])
def test_what_is_measured_counts_if_the_driver_says_that_it_was_alone(driver, reporter, seconds, alone, expected):
    for message in ({"quiet": seconds}, {"alone": alone}):
        send(driver, message)
    assert reporter.quiet(lambda most: round(most, 1)) == expected
    assert [receive(driver)] == [{"quiet": True}]
    assert (driver.poll() and receive(driver)) == ({"measured": True} if seconds else False)


def test_what_is_measured_beside_another_drivers_trial_does_not_count(driver, reporter, monkeypatch):
    monkeypatch.setattr(machine, "PATIENCE", 0.01)
    monkeypatch.setattr(child, "BETWEEN", 0.0)
    for _ in range(TRIES):
        for message in ({"quiet": 1.0}, {"alone": True}):
            send(driver, message)
    with Machine():
        assert reporter.quiet(str) is None
    assert [receive(driver) for _ in range(2 * TRIES)] == [{"quiet": True}, {"measured": True}] * TRIES
