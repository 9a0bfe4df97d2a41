"""Silence is counted only while it is the trial's turn, and whoever listens is awake."""

from multiprocessing import Pipe

import pytest

from fersearch.engines import processes
from fersearch.engines.processes import PRELOAD, Process, Watchdog
from fersearch.trial import Reason


class Clock:
    """A clock that is put forward by hand, with a look at the trial every half second."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def looks(self, dog: Watchdog, seconds: float):
        result = None
        for _ in range(int(2 * seconds)):
            self.now += 0.5
            result = result or dog.look()
        return result


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(processes, "time", clock)
    return clock


@pytest.fixture
def dog(clock: Clock) -> Watchdog:
    dog = Watchdog(10.0)
    dog.sent({"request": {"recorded": 0}})
    dog.received({"pid": 7})
    return dog


def test_a_silent_process_hangs_once_its_time_is_over(dog, clock):
    assert clock.looks(dog, 10) is None
    outcome = clock.looks(dog, 1)
    assert outcome.reason is Reason.HUNG
    assert outcome.message == "the process sent no heartbeat for 10s, in its first epoch"


def test_every_sign_of_life_counts(dog, clock):
    for message in ({"beat": True}, {"beat": True}, {"pid": 7}):
        assert clock.looks(dog, 9) is None
        dog.received(message)
    assert clock.looks(dog, 9) is None


def test_a_process_that_waits_for_its_decision_is_not_silent(dog, clock):
    dog.received({"epoch": {"number": 3}})
    assert clock.looks(dog, 100) is None
    dog.sent({"decision": "continue"})
    assert clock.looks(dog, 10) is None
    assert clock.looks(dog, 1).message == "the process sent no heartbeat for 10s, after epoch 3"


def test_a_word_that_is_no_decision_does_not_end_the_waiting(dog, clock):
    dog.received({"epoch": {"number": 3}})
    dog.sent({"leave": True})
    assert clock.looks(dog, 100) is None


def test_a_resumed_process_hangs_after_the_epochs_of_earlier_attempts(clock):
    dog = Watchdog(10.0)
    dog.sent({"request": {"recorded": 5}})
    dog.received({"pid": 7})
    assert clock.looks(dog, 11).message.endswith("after epoch 5")


def test_a_listener_that_was_asleep_does_not_blame_the_process(dog, clock):
    clock.now += 3600
    assert dog.look() is None
    assert clock.looks(dog, 8) is None
    assert clock.looks(dog, 2) is not None


def test_a_process_that_has_not_begun_waits_for_what_its_fork_server_loads(clock):
    dog = Watchdog(10.0)
    dog.sent({"request": {"recorded": 5}})
    assert clock.looks(dog, PRELOAD) is None
    assert clock.looks(dog, 1).message == "the process sent no heartbeat for 10m 00s, before it began"


def test_no_limit_is_never_too_long(clock):
    assert clock.looks(Watchdog(0.0), 10 * PRELOAD) is None


@pytest.mark.parametrize(("pid", "reason", "facts"), [(7, "hung", {}), (None, "interrupted", {"lost": "server"})])
def test_a_process_that_never_sent_its_pid_hangs_with_its_fork_server(clock, tmp_path, pid, reason, facts):
    ours, _theirs = Pipe()
    process = Process(ours, tmp_path / "log", hung_after=10.0, server=1)
    process.pid = pid
    process._watchdog = dog = Watchdog(10.0)
    clock.looks(dog, PRELOAD + 1)
    outcome = process.hung()
    assert (outcome.reason, outcome.facts) == (reason, facts)
    assert outcome.message.endswith("before it began")
