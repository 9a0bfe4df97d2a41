"""Whose checkpoints a study keeps: its policy, applied as trials end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from fersearch.search.front import beats_baseline, front, losses
from fersearch.search.values import undefined
from fersearch.study import Keep, Objective, StudySpec
from fersearch.trial import Trial, TrialState


def kept(
    trials: Iterable[Trial], keep: Keep, objectives: Sequence[Objective], baseline: Mapping[str, float]
) -> set[int]:
    """The numbers of the trials whose checkpoints a policy keeps.

    Whatever a study does after its end starts from the best of its front, so that one is among them
    under every policy: the N best are counted from those that beat the baseline, then from the rest.
    """
    found = list(trials)
    if keep.which == "all":
        return {trial.number for trial in found}
    able = [t for t in found if t.state is TrialState.COMPLETE and not undefined(t.values, objectives)]
    if keep.which == "best":

        def place(trial: Trial) -> tuple[bool, float, int]:
            return not beats_baseline(trial, objectives, baseline), losses(trial, objectives)[0], trial.number

        return {trial.number for trial in sorted(able, key=place)[: keep.most]}
    best = min(able, key=lambda trial: (losses(trial, objectives)[0], trial.number), default=None)
    return {trial.number for trial in front(able, objectives, baseline)} | ({best.number} if best else set())


class Keeper:
    """Says which checkpoints a study releases; it looks at all trials once, then at each that ends.

    A trial that is not kept is never kept again, since others only join: what counts is who stands now.
    """

    def __init__(self, spec: StudySpec, baseline: Mapping[str, float]) -> None:
        self._policy, self._objectives, self._baseline = spec.keep, spec.objectives, baseline
        self._standing: set[int] = set()
        self._holding: set[int] = set()

    def released(self, trials: Mapping[int, Trial], ended: Iterable[int]) -> list[Trial]:
        """The trials that release their checkpoints now that those of `ended` have ended, as they are after that.

        One that was stopped early is among them even where it made no checkpoint, knowing the policy.
        """
        new = set(ended)
        self._holding |= {number for number in new if _holds(trials[number])}
        if self._policy.which == "all":
            return []
        known = (trials[number] for number in self._standing | new)
        self._standing = kept(known, self._policy, self._objectives, self._baseline)
        gone = sorted(self._holding - self._standing)
        self._holding -= set(gone)
        return [replace(trials[number], checkpoint=None, released=str(self._policy)) for number in gone]


def _holds(trial: Trial) -> bool:
    return trial.checkpoint is not None or (trial.state is TrialState.PRUNED and not trial.released)
