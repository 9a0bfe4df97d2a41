"""The state of a trial after one of its attempts has ended; only this file decides it."""

from collections.abc import Iterator, Sequence
from itertools import takewhile

from fersearch.trial import Attempt, Lost, Reason, Trial, TrialState

PATIENCE = 3
"""Number of attempts in a row that were killed or hung without progress, with which a trial fails."""

FIRST_SPLIT = 2
"""Least number of micro-batches after whole batches did not fit into memory."""

OWN_FAULT = (Reason.KILLED, Reason.HUNG)
_NAMES = {Lost.DRIVER: "the driver", Lost.SERVER: "the fork server", Lost.NODE: "its node"}
_NEXT = {
    Reason.DONE: TrialState.COMPLETE,
    Reason.PRUNED: TrialState.PRUNED,
    Reason.INFEASIBLE: TrialState.INFEASIBLE,
    Reason.ERROR: TrialState.FAILED,
    Reason.DIVERGED: TrialState.FAILED,
    Reason.INTERRUPTED: TrialState.WAITING,
    Reason.PREEMPTED: TrialState.WAITING,
}


def next_state(attempts: Sequence[Attempt]) -> TrialState:
    """Return the state of a trial whose last attempt has just ended.

    A trial whose attempt was lost by no fault of its own always runs again. So does one whose attempt was killed or
    hung, except for the third in a row without progress; losses by other causes neither count nor end such a row.

    Raises:
        ValueError: the last attempt has not ended.
    """
    *before, last = attempts
    if last.reason is None:
        raise ValueError(f"attempt {last.number} has not ended")
    if lost(last):
        return TrialState.WAITING
    if last.reason in OWN_FAULT:
        return TrialState.WAITING if _without_progress(attempts) < PATIENCE else TrialState.FAILED
    if last.reason is Reason.OOM:
        again = any(earlier.reason is Reason.OOM for earlier in before)
        return TrialState.INFEASIBLE if again else TrialState.WAITING
    return _NEXT[last.reason]


def lost(attempt: Attempt) -> Lost | None:
    """Return the resource whose loss ended an attempt; None if it was its own process or nothing was lost.

    Older rows have the reason killed where the driver died, and error where the disk was full.
    """
    if recorded := attempt.facts.get("lost"):
        return Lost(recorded)
    if "lacking_disk" in attempt.facts:
        return Lost.DISK
    return Lost.DRIVER if attempt.reason is Reason.KILLED and "the driver" in attempt.message else None


def progressed(attempt: Attempt) -> bool:
    """Return whether an attempt made progress: it recorded an epoch or saved a state."""
    return attempt.last_epoch is not None or bool(attempt.facts.get("saved"))


def suspected(attempts: Sequence[Attempt]) -> Lost | None:
    """Return the resource that the last attempts all lost, if any: the trial may be the cause."""
    losses = {lost(attempt) for attempt in attempts[-PATIENCE:]}
    common = losses.pop() if len(losses) == 1 and len(attempts) >= PATIENCE else None
    return common if common in (Lost.DRIVER, Lost.SERVER, Lost.NODE) else None


def times_disk_failed(attempts: Sequence[Attempt]) -> int:
    """Return how many of the last attempts in a row lost their disk, with or without progress."""
    return sum(1 for _ in takewhile(lambda attempt: lost(attempt) is Lost.DISK, reversed(attempts)))


def is_reported(times: int) -> bool:
    """Return whether a repeated event is reported again: after the first `PATIENCE` times, then at each doubling."""
    whole, rest = divmod(times, PATIENCE)
    return whole > 0 and rest == 0 and whole & (whole - 1) == 0


def micro_batches(trial: Trial) -> int:
    """Return the least number of micro-batches of a trial's next attempt: 1 until one runs out of memory."""
    counts = [int(attempt.facts.get("micro_batches", 1)) for attempt in trial.attempts]
    had_oom = any(attempt.reason is Reason.OOM for attempt in trial.attempts)
    return max(FIRST_SPLIT if had_oom else 1, *counts, 1)


def _without_progress(attempts: Sequence[Attempt]) -> int:
    """Return how many attempts were killed or hung since one last made progress."""
    count = 0
    for attempt in reversed(attempts):
        if progressed(attempt):
            break
        count += attempt.reason in OWN_FAULT and lost(attempt) is None
    return count


def messages_about(trial: Trial, study: str) -> Iterator[str]:
    """Yield the messages for users about a trial whose attempt has ended, one line each."""
    if suspect := suspected(trial.attempts):
        yield (
            f"trial {trial.number} was running the last {PATIENCE} times that {_NAMES[suspect]} died: "
            f"it may be the cause; see: fersearch trial show {study} {trial.number}"
        )
    if is_reported(times := times_disk_failed(trial.attempts)):
        yield (
            f"trial {trial.number} was lost {times} times in a row because of its disk and is tried again until "
            f"there is space ({trial.attempts[-1].message}): free disk space, or continue with another FERSEARCH_HOME"
        )
