"""The table of what becomes of a trial when an attempt ends."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fersearch.search.retries import (
    is_reported,
    lost,
    micro_batches,
    next_state,
    progressed,
    suspected,
    times_disk_failed,
)
from fersearch.trial import Attempt, Lost, Reason, Trial, TrialState

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
BY_DRIVER = "the driver ended while the trial was running"  # what older rows say


def tried(*ends: str) -> tuple[Attempt, ...]:
    """Attempts that ended so: a reason, `lost=NODE`, or either of them with `+state` or `+epoch` for progress."""
    result = []
    for number, end in enumerate(ends, 1):
        what, _, progress = end.partition("+")
        reason, _, gone = what.partition("=")
        facts = ({"lost": gone} if gone else {}) | ({"saved": True} if progress == "state" else {})
        ended = Reason.INTERRUPTED if gone else Reason(reason)
        result.append(Attempt(number, ended, last_epoch=3 if progress == "epoch" else None, facts=facts))
    return tuple(result)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_its_state(reason: Reason) -> None:
    assert next_state([Attempt(1, reason)]).value == TABLE[reason.value]


@pytest.mark.parametrize("reason", ["killed", "hung"])
def test_the_third_killed_or_hung_attempt_without_progress_fails(reason: str) -> None:
    before = ["hung", "killed", "hung"]
    result = [next_state(tried(*before[:count], reason)).value for count in range(4)]
    assert result == ["waiting", "waiting", "failed", "failed"]


@pytest.mark.parametrize("what", Lost)
def test_what_was_lost_by_no_fault_of_the_trial_runs_again_however_often(what: Lost) -> None:
    assert next_state(tried(*[f"lost={what}"] * 20)) is TrialState.WAITING
    assert next_state(tried("killed", "hung", f"lost={what}")) is TrialState.WAITING
    assert next_state(tried("killed", f"lost={what}", "hung")) is TrialState.WAITING


def test_losses_of_others_do_not_break_the_row_either() -> None:
    assert next_state(tried("killed", "lost=server", "killed", "lost=driver", "killed")) is TrialState.FAILED
    assert next_state(tried("killed", "interrupted", "killed", "preempted", "killed")) is TrialState.FAILED


@pytest.mark.parametrize("progress", ["state", "epoch"])
@pytest.mark.parametrize("place", range(3))
def test_progress_begins_the_row_anew(progress: str, place: int) -> None:
    ends = ["killed", "killed", "killed"]
    ends[place] += f"+{progress}"
    attempts = [*ends, "killed"][: place + 3]
    assert next_state(tried(*attempts)) is TrialState.WAITING
    assert next_state(tried(*attempts, *["hung"] * (4 + place - len(attempts)))) is TrialState.FAILED
    assert next_state(tried("killed", "killed", f"lost=driver+{progress}", "killed")) is TrialState.WAITING


def test_what_older_rows_call_killed_by_the_driver_does_not_count() -> None:
    driver = Attempt(1, Reason.KILLED, BY_DRIVER)
    own = Attempt(2, Reason.KILLED, "the process was killed by SIGKILL")
    assert (lost(driver), lost(own)) == (Lost.DRIVER, None)
    assert next_state([driver] * 3) is TrialState.WAITING
    assert next_state([own, driver, own]) is TrialState.WAITING
    assert next_state([own, driver, own, driver, own]) is TrialState.FAILED


def test_a_full_disk_never_counts_nor_do_older_rows_that_call_it_an_error() -> None:
    older = Attempt(1, Reason.ERROR, facts={"lacking_disk": {"folder": "/x", "bytes": 9}})
    assert lost(older) is Lost.DISK
    assert next_state([older] * 5) is TrialState.WAITING
    assert next_state([older, older, *tried("killed")]) is TrialState.WAITING


def test_an_attempt_that_has_not_ended_has_no_next_state() -> None:
    with pytest.raises(ValueError, match="attempt 2 has not ended"):
        next_state([*tried("killed"), Attempt(2)])


def test_earlier_losses_do_not_change_other_ends() -> None:
    assert next_state(tried("killed", "hung", "done")) is TrialState.COMPLETE
    assert next_state(tried(*["killed", "hung"] * 4, "interrupted")) is TrialState.WAITING
    assert next_state(tried("killed", "hung", "oom")) is TrialState.WAITING
    assert next_state(tried("killed", "error")) is TrialState.FAILED


def test_a_second_lack_of_memory_makes_a_trial_infeasible() -> None:
    assert next_state(tried("oom", "oom")) is TrialState.INFEASIBLE
    assert next_state(tried("oom", "killed", "oom")) is TrialState.INFEASIBLE
    assert next_state(tried("oom", "killed")) is TrialState.WAITING


@pytest.mark.parametrize(
    ("ends", "named"),
    [
        (["lost=driver"] * 2, None),
        (["lost=driver"] * 3, Lost.DRIVER),
        (["killed", *["lost=driver+epoch"] * 3], Lost.DRIVER),
        (["lost=driver"] * 2 + ["killed", "lost=driver"], None),
        (["lost=driver"] * 3 + ["interrupted"], None),
        (["lost=driver", "lost=server", "lost=driver"], None),
        (["lost=server"] * 4, Lost.SERVER),
        (["lost=node"] * 3, Lost.NODE),
        (["lost=database"] * 4, None),
        (["lost=disk"] * 4, None),
        (["killed"] * 3, None),
    ],
)
def test_a_trial_that_ran_at_three_deaths_of_a_driver_in_a_row_is_suspected(ends: list[str], named: Lost) -> None:
    assert suspected(tried(*ends)) is named


ENDS = st.builds(
    lambda reason, epoch, facts: Attempt(1, reason, last_epoch=epoch, facts=facts),
    st.sampled_from(Reason),
    st.sampled_from([None, None, 3]),
    st.sampled_from([{}, {}, {"saved": True}]),
)
OTHERS = st.sampled_from(Lost).map(lambda what: Attempt(1, Reason.INTERRUPTED, facts={"lost": what.value}))
OWN = (Reason.KILLED, Reason.HUNG)


@given(st.lists(st.one_of(ENDS, OTHERS), min_size=1, max_size=9), st.integers(0, 8), OTHERS)
def test_losses_of_others_change_nothing_anywhere(attempts: list[Attempt], place: int, other: Attempt) -> None:
    among = [*attempts[:-1][:place], other, *attempts[:-1][place:], attempts[-1]]
    assert next_state(among) is next_state(attempts)


@given(st.lists(st.one_of(ENDS, OTHERS), min_size=1, max_size=9))
def test_killed_or_hung_fails_exactly_at_the_third_since_the_last_progress(attempts: list[Attempt]) -> None:
    last = attempts[-1]
    if last.reason in OWN:
        assert (next_state(attempts) is TrialState.FAILED) == (own_since_progress(attempts) >= 3)
    if last.reason in OWN and progressed(last):
        assert next_state(attempts) is TrialState.WAITING


def own_since_progress(attempts: Sequence[Attempt]) -> int:
    """The same count, made forwards."""
    count = 0
    for attempt in attempts:
        count = 0 if progressed(attempt) else count + (attempt.reason in OWN)
    return count


@given(st.lists(st.one_of(ENDS, OTHERS), max_size=9), OTHERS)
def test_a_loss_that_is_not_the_trials_is_always_tried_again(before: list[Attempt], other: Attempt) -> None:
    assert next_state([*before, other]) is TrialState.WAITING
    assert next_state([*before, replace(other, last_epoch=2)]) is TrialState.WAITING


def test_batches_are_cut_after_a_lack_of_memory_and_not_before() -> None:
    lacked, killed = Attempt(1, Reason.OOM), Attempt(1, Reason.KILLED)
    assert micro_batches(Trial(0, {})) == 1
    assert micro_batches(Trial(0, {}, attempts=(killed, Attempt(2)))) == 1
    assert micro_batches(Trial(0, {}, attempts=(lacked, Attempt(2)))) == 2


def test_an_attempt_after_one_in_parts_has_as_many() -> None:
    parted = Attempt(2, Reason.INTERRUPTED, facts={"micro_batches": 8})
    assert micro_batches(Trial(0, {}, attempts=(Attempt(1, Reason.OOM), parted, Attempt(3)))) == 8


def test_attempts_that_a_full_disk_ended_are_reported_at_growing_intervals() -> None:
    counts = [times_disk_failed(tried(*["lost=disk"] * n)) for n in range(1, 30)]
    assert counts == list(range(1, 30))
    assert [count for count in counts if is_reported(count)] == [3, 6, 12, 24]
    assert times_disk_failed(tried("lost=disk", "lost=node", "lost=disk+epoch", "lost=disk")) == 2
    assert not is_reported(0)
