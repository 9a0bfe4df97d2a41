"""What becomes of a trial when one of its attempts has ended: the one table that knows."""

from collections.abc import Sequence

from fersearch.trial import Reason, Trial, TrialState

PATIENCE = 2
"""How many killed or hung attempts, or ones that a full disk ended, a trial may have and still run again."""

LOST = (Reason.KILLED, Reason.HUNG)
PARTS = 2
"""In how many parts batches are cut at least, once they did not fit into memory whole."""

_NEXT = {
    Reason.DONE: TrialState.COMPLETE,
    Reason.PRUNED: TrialState.PRUNED,
    Reason.INFEASIBLE: TrialState.INFEASIBLE,
    Reason.ERROR: TrialState.FAILED,
    Reason.DIVERGED: TrialState.FAILED,
    Reason.INTERRUPTED: TrialState.WAITING,
    Reason.PREEMPTED: TrialState.WAITING,
}


def next_state(reason: Reason, before: Sequence[Reason | None] = (), *, disk_full: bool = False) -> TrialState:
    """The trial's state after an attempt that ended for `reason`; `before` are the ends of its earlier attempts.

    An error that only says that the disk was full (`disk_full`) is no fault of the trial. No other error has
    a later attempt, so that earlier errors are all of that kind.
    """
    if reason in LOST or disk_full:
        lost = sum(earlier in (*LOST, Reason.ERROR) for earlier in before)
        return TrialState.WAITING if lost < PATIENCE else TrialState.FAILED
    if reason is Reason.OOM:
        return TrialState.INFEASIBLE if Reason.OOM in before else TrialState.WAITING
    return _NEXT[reason]


def micro_batches(trial: Trial) -> int:
    """In how many parts a trial's next attempt cuts its batches at least: 1 as long as no attempt lacked memory."""
    found = [int(attempt.facts.get("micro_batches", 1)) for attempt in trial.attempts]
    lacked = any(attempt.reason is Reason.OOM for attempt in trial.attempts)
    return max(PARTS if lacked else 1, *found, 1)
