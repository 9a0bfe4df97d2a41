"""Bounds on the peak memory of trials, judged by the probe that packs GPUs before a trial is started.

Without that probe, as on a CPU, the peak is only known from training.
"""

from collections.abc import Sequence

from fersearch.engines import gpu_memory
from fersearch.formatting import number
from fersearch.search.retries import micro_batches
from fersearch.study import Constraint
from fersearch.trial import Outcome, Reason, Trial

METRIC, FACT = "peak_memory_mb", "probed_peak_mb"
BY_TRAINING = (
    f"{METRIC} is only known from training here, so its bound stops trials at their rungs; on GPUs with "
    "--slots-per-gpu auto it is measured before training"
)
"""The note on a bound that no probe can check, shown once."""


class MemoryBounds:
    """The bounds of a study on peak memory, and the measured peaks, by the shape of trials.

    `trials` are those of earlier runs, whose shapes are not measured again.
    """

    def __init__(self, where: Sequence[Constraint], trials: Sequence[Trial] = ()) -> None:
        self.bounds = [bound for bound in where if bound.metric == METRIC]
        self._peaks: dict[str, float] = {}
        for trial in trials:
            for attempt in trial.attempts:
                if FACT in attempt.facts:
                    self._peaks[_shape(trial)] = float(attempt.facts[FACT])

    def keeps(self, trial: Trial, peak: int) -> bool:
        """Record the peak in bytes that the probe measured for a trial; return whether it keeps the bounds."""
        self._peaks[_shape(trial)] = round(peak / 2**20, 1)
        return self.refusal(trial) is None

    def refusal(self, trial: Trial) -> Outcome | None:
        """Return the outcome of an untrained trial that is known to break a bound; None for any other."""
        peak = self._peaks.get(_shape(trial)) if self.bounds and not trial.epochs else None
        if peak is None:
            return None
        values = {METRIC: peak}
        broken = next((bound for bound in self.bounds if not bound.holds(values)), None)
        if broken is None:
            return None
        message = f"{METRIC} {number(peak)} breaks {broken}"
        return Outcome(Reason.INFEASIBLE, message, facts={"measured": values, FACT: peak})


def _shape(trial: Trial) -> str:
    return gpu_memory.shape(trial.params, micro_batches(trial))
