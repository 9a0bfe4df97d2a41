"""The request that each signal makes, in whichever order they come."""

import os
import signal

import pytest

from fersearch.engines.shutdown import Level, Stop
from fersearch.trial import Lost

CTRL_C, SIGTERM = signal.SIGINT, signal.SIGTERM


@pytest.mark.parametrize(
    ("signals", "level"),
    [
        ([], Level.NOT),
        ([CTRL_C], Level.AFTER_EPOCH),
        ([CTRL_C, CTRL_C], Level.NOW),
        ([SIGTERM], Level.AFTER_STEP),
        ([SIGTERM] * 5, Level.AFTER_STEP),
        ([CTRL_C, SIGTERM], Level.AFTER_STEP),
        ([SIGTERM, CTRL_C], Level.NOW),
        ([CTRL_C, CTRL_C, SIGTERM], Level.NOW),
    ],
)
def test_a_signal_never_withdraws_an_earlier_request(signals, level):
    with Stop().listening() as stop:
        for number in signals:
            os.kill(os.getpid(), number)
    assert (stop.level, stop.by_signal) == (level, bool(signals))


def test_a_third_ctrl_c_ends_the_program_wherever_it_is():
    with Stop().listening() as stop:
        stop.ask(Level.NOW)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), CTRL_C)


def test_a_requested_stop_is_never_postponed():
    stop = Stop()
    stop.ask(Level.AFTER_STEP)
    stop.ask(Level.AFTER_EPOCH)
    assert stop.level is Level.AFTER_STEP


def test_the_handlers_before_are_put_back():
    before = [signal.getsignal(number) for number in (CTRL_C, SIGTERM)]
    with Stop().listening():
        assert [signal.getsignal(number) for number in (CTRL_C, SIGTERM)] != before
    assert [signal.getsignal(number) for number in (CTRL_C, SIGTERM)] == before


def test_the_lost_resource_is_that_of_the_first_request():
    stop = Stop()
    stop.ask(Level.AFTER_EPOCH, lost=Lost.DATABASE)
    stop.ask(Level.NOW)
    assert stop.lost is Lost.DATABASE
    other = Stop()
    other.ask(Level.AFTER_EPOCH)
    other.ask(Level.NOW, lost=Lost.DATABASE)
    assert other.lost is None
