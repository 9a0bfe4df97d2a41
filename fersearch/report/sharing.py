"""Describes whether training times were measured by trials that shared their device."""

from collections.abc import Sequence

from fersearch.trial import EXCLUSIVE, MUCH_OTHER_WORK, Trial, TrialState

BRIEFLY = 0.05
"""Average number of neighbours over a trial that is explained by trials that only started or ended beside it."""


def neighbours(trial: Trial) -> float | None:
    """Return how many other trials ran on a trial's device, on average over its most crowded attempt; None if
    unknown."""
    counts = [float(attempt.facts["neighbours"]) for attempt in trial.attempts if "neighbours" in attempt.facts]
    return max(counts, default=None)


def describe(trials: Sequence[Trial]) -> str:
    """Return a sentence on how the training times of complete and pruned trials were measured; empty where no
    trial recorded it."""
    ended = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    known = {trial.number: count for trial in ended if (count := neighbours(trial)) is not None}
    shared = [count for count in known.values() if count > BRIEFLY]
    if not known:
        return ""
    slowed = sum(trial.disturbed for trial in ended)
    others = f"; other work slowed {slowed} of them" if slowed else ""
    busy = [trial.other_cpu_share for trial in ended if trial.other_cpu_share >= MUCH_OTHER_WORK]
    if busy:
        others += f"; while {len(busy)} trained, other processes kept {sum(busy) / len(busy):.0%} of the CPU busy"
    if not shared:
        if not busy:
            return f"each trial had its device to itself{others}"
        return (
            f"no trial shared its device with another{others}; --exclusive-timing retrains the front alone to time it"
        )
    timed = sum(EXCLUSIVE in trial.values for trial in trials)
    alone = (
        f"; {timed} timed again alone ({EXCLUSIVE})"
        if timed
        else "; --exclusive-timing retrains the front alone to time it"
    )
    return (
        f"train_seconds of {len(shared)} of {len(known)} trials was measured next to others on the same device "
        f"({sum(shared) / len(shared):.1f} on average){others}{alone}"
    )
