"""The figures of each network shape of a study: measured and stored by its first trial, used by all later ones.

A trial whose figures are known and break a bound ends before a process is started for it.
"""

import json
from collections.abc import Mapping, Sequence

from fersearch.components import Metric, Task
from fersearch.recipe import FREEZING, OPTIMISATION, REGULARISATION
from fersearch.study import StudySpec
from fersearch.training.figures import SHAPE_FIGURES, OutOfBounds, check_bound, checked_before_training, value_of
from fersearch.trial import Outcome, Reason, Trial

FACT = "figures"
WITHOUT_EFFECT = {*OPTIMISATION, *REGULARISATION, *FREEZING, "target"} - {"crop", "tta"}
"""The recipe's parameters that change neither the size of a network nor its operations."""


class Figures:
    """The measured figures of a study, by shape; `task` is the task that its networks are built for."""

    def __init__(
        self, spec: StudySpec, task: Task, metrics: Mapping[str, Metric], trials: Sequence[Trial] = ()
    ) -> None:
        self._spec, self._task, self._metrics = spec, task, metrics
        self._known: dict[str, dict[str, int]] = {}
        checked = checked_before_training(spec.where, metrics, task)
        self._checked = [(bound, read) for bound, read in checked if set(read) <= set(SHAPE_FIGURES)]
        for trial in trials:
            self.learn(trial)

    def of(self, trial: Trial) -> Mapping[str, int]:
        """Return the known figures of a trial's network."""
        return self._known.get(self._shape(trial), {})

    def learn(self, trial: Trial) -> None:
        """Store the figures that the attempts of a trial measured."""
        for attempt in trial.attempts:
            if FACT in attempt.facts:
                self._known.setdefault(self._shape(trial), {}).update(attempt.facts[FACT])

    def refusal(self, trial: Trial) -> Outcome | None:
        """Return the outcome of an untrained trial that is known to break a bound; None for any other."""
        if not self._checked or trial.epochs:
            return None
        known, values = self.of(trial), {}
        for bound, read in self._checked:
            if not set(read) <= set(known):
                return None
            values[bound.metric] = value_of(self._metrics[bound.metric], known, self._task)
            try:
                check_bound(bound, values)
            except OutOfBounds as broken:
                return Outcome(Reason.INFEASIBLE, broken.message, facts={"measured": broken.measured})
        return None

    def _shape(self, trial: Trial) -> str:
        architecture, params = self._spec.chosen(trial.params)
        network = {name: value for name, value in params.items() if name not in WITHOUT_EFFECT}
        return json.dumps([architecture, network], sort_keys=True)
