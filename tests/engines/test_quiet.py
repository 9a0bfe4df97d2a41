"""Who is paused for whom, for how long, and when a measurement counts as alone; the clock is the test's."""

from collections.abc import Mapping
from typing import Any

import pytest

from fersearch.engines.quiet import BETWEEN, OVERDUE, PATIENCE, PAUSE, SLACK, TRIES, QuietTurns, when_alone

Word = Mapping[str, Any]


class Machine:
    """Trials that send the messages of a test; `sent` has the messages to each, by number."""

    def __init__(self, *numbers: int) -> None:
        self.now = 0.0
        self.turns = QuietTurns(lambda: self.now)
        self.sent: dict[int, list[Word]] = {number: [] for number in numbers}
        for number in numbers:
            self.turns.join(number, self.sent[number].append)
            self.turns.settle(number, "here")

    def say(self, number: int, message: Word, after: float = 0.0) -> None:
        self.now += after
        assert self.turns.handle(number, message)

    def pause(self, number: int, after: float = 0.0) -> None:
        self.say(number, {"paused": self.sent[number][-1]["turn"]}, after)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.turns.look()

    def last(self, number: int) -> Word:
        return self.sent[number][-1]


def test_a_trial_with_no_other_measures_at_once_and_alone() -> None:
    machine = Machine(1)
    machine.say(1, {"quiet": True})
    assert machine.turns.busy
    machine.say(1, {"measured": True}, after=1.9 * PAUSE)
    assert machine.sent[1] == [{"quiet": PAUSE}, {"alone": True}]
    assert not machine.turns.busy


def test_the_others_are_paused_first_and_go_on_after() -> None:
    machine = Machine(1, 2, 3)
    machine.say(1, {"quiet": True})
    machine.pause(2)
    assert machine.sent[1] == []
    machine.pause(3, after=0.3)
    assert machine.last(1) == {"quiet": pytest.approx(PAUSE - SLACK - 0.3)}
    machine.say(1, {"measured": True}, after=0.5)
    assert machine.last(1) == {"alone": True}
    assert machine.last(2) == machine.last(3) == {"resume": True}


def test_a_trial_that_does_not_pause_is_retried_until_the_value_stays_rough() -> None:
    machine = Machine(1, 2)
    machine.say(1, {"quiet": True})
    for _ in range(TRIES):
        assert list(machine.last(2)) == ["pause", "turn"]
        machine.wait(PATIENCE + 0.01)
        assert machine.last(2) == {"resume": True}
        assert not machine.turns.busy  # attempts may start meanwhile
        machine.wait(BETWEEN)
    assert machine.sent[1] == [{"quiet": 0}]


def test_messages_about_an_earlier_pause_are_ignored() -> None:
    machine = Machine(1, 2)
    machine.say(1, {"quiet": True})
    earlier = machine.last(2)["turn"]
    machine.wait(PATIENCE + 0.01)
    machine.wait(BETWEEN)
    machine.say(2, {"paused": earlier})
    assert machine.sent[1] == []
    machine.pause(2)
    machine.say(2, {"resumed": earlier})
    machine.say(1, {"measured": True})
    assert machine.last(1) == {"alone": True}


def test_a_trial_that_goes_on_meanwhile_spoils_it() -> None:
    machine = Machine(1, 2)
    machine.say(1, {"quiet": True})
    machine.pause(2)
    machine.say(2, {"resumed": machine.last(2)["turn"]})
    machine.say(1, {"measured": True})
    assert machine.last(1) == {"alone": False}


def test_a_measurement_that_outlasts_the_pause_is_not_alone_whatever_the_others_say() -> None:
    machine = Machine(1, 2)
    machine.say(1, {"quiet": True})
    machine.pause(2)
    machine.say(1, {"measured": True}, after=PAUSE + 0.01)
    assert machine.last(1) == {"alone": False}


def test_two_that_ask_at_once_are_measured_in_turn_and_neither_is_paused() -> None:
    machine = Machine(1, 2)
    machine.say(1, {"quiet": True})
    machine.say(2, {"quiet": True})  # it has not read yet that it is to pause
    assert "quiet" in machine.last(1)
    machine.say(2, {"paused": machine.last(2)["turn"]})
    machine.say(2, {"resumed": machine.last(2)["turn"]})  # it waits for its turn all the same
    machine.say(1, {"measured": True})
    assert machine.sent[1][1] == {"alone": True}
    assert "pause" in machine.last(1)
    machine.turns.leave(1)
    assert "quiet" in machine.last(2)


def test_trials_of_other_nodes_go_on_and_one_whose_node_is_not_known_is_paused() -> None:
    machine = Machine(1, 2, 3)
    machine.turns.settle(2, "there")
    machine.turns.join(3, machine.sent[3].append)
    machine.say(1, {"quiet": True})
    assert machine.sent[2] == []
    assert "pause" in machine.last(3)


def test_a_trial_that_ends_is_not_waited_for() -> None:
    machine = Machine(1, 2)
    machine.say(1, {"quiet": True})
    machine.turns.leave(2)
    assert "quiet" in machine.last(1)


def test_the_others_go_on_when_the_measured_one_ends_or_never_comes_back() -> None:
    machine = Machine(1, 2, 3)
    machine.say(1, {"quiet": True})
    machine.turns.leave(1)
    assert machine.last(2) == {"resume": True}
    machine.say(3, {"quiet": True})
    machine.pause(2)
    machine.wait(PAUSE + OVERDUE + 0.1)
    assert (machine.last(2), machine.turns.busy) == ({"resume": True}, False)
    machine.say(3, {"measured": True})
    assert machine.last(3) == {"alone": False}


def test_other_messages_are_for_somebody_else() -> None:
    machine = Machine(1)
    assert not machine.turns.handle(1, {"beat": True})
    assert not when_alone({"beat": True}, machine.sent[1].append)
    for message in ({"quiet": True}, {"measured": True}):
        assert when_alone(message, machine.sent[1].append)
    assert machine.sent[1] == [{"quiet": PAUSE}, {"alone": True}]
