"""Whether training times were measured by trials that shared their device, in words."""

from collections.abc import Sequence

from fersearch.trial import EXCLUSIVE, Trial, TrialState

BRIEFLY = 0.05
"""Neighbours, on average over a trial, that are no more than those who came or went at its ends."""


def neighbours(trial: Trial) -> float | None:
    """Return how many other trials ran on a trial's device, on average over its most crowded attempt; None: not
    known."""
    found = [float(attempt.facts["neighbours"]) for attempt in trial.attempts if "neighbours" in attempt.facts]
    return max(found, default=None)


def told(trials: Sequence[Trial]) -> str:
    """Return a sentence on how the training times of complete and pruned trials came about; empty where none
    recorded it."""
    ended = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    known = {trial.number: count for trial in ended if (count := neighbours(trial)) is not None}
    shared = [count for count in known.values() if count > BRIEFLY]
    if not known:
        return ""
    slowed = sum(trial.disturbed for trial in ended)
    others = f"; other work slowed {slowed} of them" if slowed else ""
    if not shared:
        return f"each trial had its device to itself{others}"
    timed = sum(EXCLUSIVE in trial.values for trial in trials)
    alone = f"; {timed} timed again alone ({EXCLUSIVE})" if timed else "; --exclusive-timing times the front again"
    return (
        f"train_seconds of {len(shared)} of {len(known)} trials was measured beside others on the same device "
        f"({sum(shared) / len(shared):.1f} on average){others}{alone}"
    )
