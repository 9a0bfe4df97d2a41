"""The table of what becomes of a trial when an attempt ends."""

import pytest

from fersearch.search.retries import next_state
from fersearch.trial import Reason

TABLE = {
    "done": "complete",
    "pruned": "pruned",
    "infeasible": "infeasible",
    "oom": "infeasible",
    "error": "failed",
    "diverged": "failed",
    "interrupted": "waiting",
    "preempted": "waiting",
    "hung": "waiting",
    "killed": "waiting",
}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_its_state(reason: Reason) -> None:
    assert next_state(reason, lost_before=0).value == TABLE[reason.value]


@pytest.mark.parametrize("reason", [Reason.KILLED, Reason.HUNG])
def test_the_third_killed_or_hung_attempt_fails(reason: Reason) -> None:
    assert [next_state(reason, lost).value for lost in range(4)] == ["waiting", "waiting", "failed", "failed"]


def test_earlier_losses_do_not_change_other_ends() -> None:
    assert next_state(Reason.DONE, lost_before=2).value == "complete"
    assert next_state(Reason.INTERRUPTED, lost_before=9).value == "waiting"
