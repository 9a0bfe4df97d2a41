"""Results of an ended trial from its epochs: its values, the kept epoch, and whether it is feasible."""

from collections.abc import Mapping
from dataclasses import replace

from fersearch.components import Metric
from fersearch.search.aggregation import best_epoch, trial_values, undefined
from fersearch.search.history import History
from fersearch.search.standard_error import standard_errors
from fersearch.study import StudySpec
from fersearch.trial import Outcome, Reason, Trial, TrialState


class Results:
    """The results of the trials of a study, from the epochs that its history holds."""

    def __init__(self, spec: StudySpec, metrics: Mapping[str, Metric], history: History, rounds: int) -> None:
        self._spec, self._metrics, self._history, self._rounds = spec, metrics, history, rounds

    def sound(self, trial: Trial, outcome: Outcome) -> Outcome:
        """Return the outcome, changed to infeasible where a finished trial has no finite value of an objective."""
        if outcome.reason is not Reason.DONE:
            return outcome
        missing = undefined(self._values(trial, outcome), self._spec.objectives)
        return replace(outcome, reason=Reason.INFEASIBLE, message=missing) if missing else outcome

    def final(self, trial: Trial, outcome: Outcome) -> Trial:
        """Return an ended trial with its values and kept epoch."""
        values = self._values(trial, outcome) or dict(outcome.facts.get("measured", {}))
        kept_epoch = self._kept_epoch(trial, outcome)
        if trial.state is TrialState.COMPLETE and self._rounds == 1:
            values |= self._standard_errors(trial.number, kept_epoch)
        return replace(trial, values=values, kept_epoch=kept_epoch, checkpoint=outcome.checkpoint)

    def _standard_errors(self, number: int, kept_epoch: int | None) -> dict[str, float]:
        epoch = self._history.of(number).get(kept_epoch or 0)
        counts = epoch.confusion if epoch else None
        return standard_errors(self._spec.objectives, self._metrics, counts, (self._spec.seed, number))

    def _values(self, trial: Trial, outcome: Outcome) -> dict[str, float]:
        epochs = self._history.of(trial.number)
        return trial_values(epochs, self._kept_epoch(trial, outcome), self._spec.objectives[0], self._metrics)

    def _kept_epoch(self, trial: Trial, outcome: Outcome) -> int | None:
        return outcome.kept_epoch or best_epoch(self._history.of(trial.number), self._spec.objectives[0])
