"""What becomes of a trial when one of its attempts has ended: the one table that knows."""

from fersearch.trial import Reason, TrialState

PATIENCE = 2
"""How many killed or hung attempts a trial may have and still run again."""

_NEXT = {
    Reason.DONE: TrialState.COMPLETE,
    Reason.PRUNED: TrialState.PRUNED,
    Reason.INFEASIBLE: TrialState.INFEASIBLE,
    Reason.OOM: TrialState.INFEASIBLE,
    Reason.ERROR: TrialState.FAILED,
    Reason.DIVERGED: TrialState.FAILED,
    Reason.INTERRUPTED: TrialState.WAITING,
    Reason.PREEMPTED: TrialState.WAITING,
}


def next_state(reason: Reason, lost_before: int) -> TrialState:
    """The trial's state after an attempt that ended for `reason`.

    `lost_before` counts its earlier attempts that were killed or hung.
    """
    if reason in (Reason.KILLED, Reason.HUNG):
        return TrialState.WAITING if lost_before < PATIENCE else TrialState.FAILED
    return _NEXT[reason]
