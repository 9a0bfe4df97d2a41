"""Trials of several drivers on one machine: who pauses for whom, and what a killed one leaves behind."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fersearch.engines import machine
from fersearch.engines.machine import Machine, measure_alone
from fersearch.training.latency import SteadyLatency
from fersearch.training.pauses import paused

VALUE = SteadyLatency(0.01, 40, (0.01, 0.01))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(machine, "POLL_SECONDS", 0.001)
    monkeypatch.setenv("FERSEARCH_HOME", str(tmp_path))
    return tmp_path / "quiet"


class Stepping(threading.Thread):
    """A trial of another driver; `steps` are the times of its steps."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[float] = []
        self.goes_on = True

    def run(self) -> None:
        with Machine() as own:
            while self.goes_on:
                self.steps.append(time.monotonic())
                time.sleep(0.001)
                own.pulse()


@contextmanager
def stepping() -> Iterator[Stepping]:
    other = Stepping()
    other.start()
    try:
        until(other.steps)
        yield other
    finally:
        other.goes_on = False
        other.join()


def until(steps: list[float], since: float = 0.0) -> None:
    """Wait for a step after a time."""
    deadline = time.monotonic() + 30
    while not steps or steps[-1] <= since:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def long(seconds: float = 0.05) -> tuple[list[float], machine.Callable[[float], SteadyLatency]]:
    """Something to measure that takes so long; its beginning and end come into the list."""
    times: list[float] = []

    def take(_: float) -> SteadyLatency:
        times.append(time.monotonic())
        time.sleep(seconds)
        times.append(time.monotonic())
        return VALUE

    return times, take


def test_without_others_it_measures_at_once_for_the_whole_time(folder: Path) -> None:
    limits: list[float] = []
    with Machine() as own, own.aside():
        assert own.measure(lambda most: limits.append(most) or VALUE, 0.5) == VALUE
    assert 0.4 < limits[0] <= 0.5


def test_a_trial_of_another_driver_takes_no_step_meanwhile_and_its_clock_stands(folder: Path) -> None:
    before = paused()
    with stepping() as other, Machine() as own, own.aside():
        times, take = long()
        assert own.measure(take) == VALUE
        until(other.steps, since=times[1])
    assert [step for step in other.steps if times[0] <= step <= times[1]] == []
    assert paused() - before >= times[1] - times[0]


def test_one_that_comes_meanwhile_waits_before_its_first_step(folder: Path) -> None:
    with Machine() as own, own.aside(), Machine() as third:
        other = Stepping()
        times: list[float] = []

        def take(_: float) -> SteadyLatency:
            other.start()
            time.sleep(0.05)
            times.append(time.monotonic())
            return VALUE

        third.pulse()
        with third.aside():
            assert own.measure(take) == VALUE
            until(other.steps)
    other.goes_on = False
    other.join()
    assert other.steps[0] >= times[0]


def test_one_in_a_longer_step_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PATIENCE", 0.02)
    monkeypatch.setattr(machine, "BETWEEN", 0.0)
    times, take = long()
    with Machine():
        assert measure_alone(take) is None
    assert times == []
    assert measure_alone(take) == VALUE


def test_what_takes_longer_than_the_others_are_paused_does_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PAUSE", 0.05)
    with stepping() as other, Machine() as own, own.aside():
        times, take = long(0.5)
        assert own.measure(take, most=10) is None
        assert [step for step in other.steps if times[0] + 0.1 < step < times[1]]  # not paused again
        times, take = long(0.01)
        until(other.steps, since=time.monotonic())
        assert own.measure(take, most=10) == VALUE


def test_two_measure_one_after_the_other(folder: Path) -> None:
    (first, take_first), (second, take_second) = long(), long()
    other = threading.Thread(target=measure_alone, args=(take_first,))
    other.start()
    until(first)
    assert measure_alone(take_second) == VALUE
    other.join()
    assert second[0] >= first[1]


HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "ab")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(60)
"""


@contextmanager
def held(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock on a file."""
    command = [sys.executable, "-S", "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("part", ["running", "wanted"])
def test_a_killed_trial_leaves_no_measurement_waiting(folder: Path, part: str) -> None:
    with Machine() as own, own.aside(), held(*folder.glob(f"*.{part}")) as process:
        began = time.monotonic()
        threading.Timer(0.05, process.kill).start()
        times, take = long(0.0)
        assert own.measure(take) == VALUE
    assert times[0] - began >= 0.04


def test_a_measurement_that_was_killed_lets_the_others_go_on(folder: Path) -> None:
    with stepping() as other, held(*folder.glob("*.wanted")) as process:
        began = time.monotonic()
        time.sleep(0.05)
        process.kill()
        process.wait()
        until(other.steps, since=time.monotonic())
        assert time.monotonic() - began < machine.PAUSE
