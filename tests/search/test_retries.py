"""The table of what becomes of a trial when an attempt ends."""

import pytest

from fersearch.search.retries import micro_batches, next_state
from fersearch.trial import Attempt, Reason, Trial

TABLE = {
    "done": "complete",
    "pruned": "pruned",
    "infeasible": "infeasible",
    "oom": "waiting",
    "error": "failed",
    "diverged": "failed",
    "interrupted": "waiting",
    "preempted": "waiting",
    "hung": "waiting",
    "killed": "waiting",
}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_its_state(reason: Reason) -> None:
    assert next_state(reason).value == TABLE[reason.value]


@pytest.mark.parametrize("reason", [Reason.KILLED, Reason.HUNG])
def test_the_third_killed_or_hung_attempt_fails(reason: Reason) -> None:
    lost = [Reason.HUNG, Reason.KILLED, Reason.HUNG]
    found = [next_state(reason, lost[:count]).value for count in range(4)]
    assert found == ["waiting", "waiting", "failed", "failed"]


def test_a_full_disk_is_no_fault_of_the_trial_until_the_third_time() -> None:
    before = [Reason.ERROR, Reason.KILLED, Reason.INTERRUPTED]
    found = [next_state(Reason.ERROR, before[:count], disk_full=True).value for count in range(4)]
    assert found == ["waiting", "waiting", "failed", "failed"]


def test_earlier_losses_do_not_change_other_ends() -> None:
    lost = [Reason.KILLED, Reason.HUNG]
    assert next_state(Reason.DONE, lost).value == "complete"
    assert next_state(Reason.INTERRUPTED, lost * 4).value == "waiting"
    assert next_state(Reason.OOM, lost).value == "waiting"


def test_a_second_lack_of_memory_makes_a_trial_infeasible() -> None:
    assert next_state(Reason.OOM, [Reason.OOM]).value == "infeasible"
    assert next_state(Reason.OOM, [Reason.OOM, Reason.KILLED]).value == "infeasible"
    assert next_state(Reason.KILLED, [Reason.OOM]).value == "waiting"


def test_batches_are_cut_after_a_lack_of_memory_and_not_before() -> None:
    lacked, killed = Attempt(1, Reason.OOM), Attempt(1, Reason.KILLED)
    assert micro_batches(Trial(0, {})) == 1
    assert micro_batches(Trial(0, {}, attempts=(killed, Attempt(2)))) == 1
    assert micro_batches(Trial(0, {}, attempts=(lacked, Attempt(2)))) == 2


def test_an_attempt_after_one_in_parts_has_as_many() -> None:
    parted = Attempt(2, Reason.INTERRUPTED, facts={"micro_batches": 8})
    assert micro_batches(Trial(0, {}, attempts=(Attempt(1, Reason.OOM), parted, Attempt(3)))) == 8
