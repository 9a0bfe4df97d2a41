"""Detection of a flat front: the last complete trials added next to nothing to its hypervolume."""

from collections.abc import Mapping, Sequence

from fersearch import pareto
from fersearch.search.aggregation import undefined
from fersearch.search.front import beats_baseline, losses
from fersearch.study import StudySpec
from fersearch.trial import Trial, TrialState

LITTLE = 1e-3
"""A front is flat while its hypervolume grows by no more than this share, which noise of clocks alone can cause."""


class Flat:
    """The stopping rule of a study that ends once its front was flat for a number of complete trials.

    The trials with the highest numbers count as the last, whenever they ended, so that the rule depends on the record
    alone. The reference point is the worst value of the complete trials in each objective.
    """

    def __init__(self, spec: StudySpec, baseline: Mapping[str, float]) -> None:
        self._spec, self._baseline = spec, baseline
        self._losses: dict[int, list[float]] = {}
        self._eligible: set[int] = set()
        self.why = ""

    def join(self, trial: Trial) -> None:
        """Add a trial that ended; updates `why`, the reason that the front is flat, empty if it is not."""
        spec = self._spec
        if (
            not spec.stop_when_flat
            or trial.state is not TrialState.COMPLETE
            or undefined(trial.values, spec.objectives)
        ):
            return
        self._losses[trial.number] = losses(trial, spec.objectives)
        if beats_baseline(trial, spec.objectives, self._baseline) and spec.keeps_bounds(trial.values):
            self._eligible.add(trial.number)
        self.why = self._why(spec.stop_when_flat)

    def _why(self, most: int) -> str:
        numbers = sorted(self._losses)
        earlier, last = set(numbers[:-most]) & self._eligible, numbers[-most:]
        if not earlier:
            return ""
        reference = pareto.reference_behind(list(self._losses.values()))
        before, now = self._volume(earlier, reference), self._volume(self._eligible, reference)
        if before <= 0 or now > before * (1 + LITTLE):
            return ""
        return f"the front's hypervolume has not grown for {most} complete trials, trial {last[0]} to {last[-1]}"

    def _volume(self, numbers: set[int], reference: Sequence[float]) -> float:
        points = [self._losses[number] for number in sorted(numbers)]
        front = [points[place] for place in pareto.non_dominated(points)]
        return pareto.hypervolume(front, reference)
