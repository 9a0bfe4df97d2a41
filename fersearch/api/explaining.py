"""Explain why a trial stopped or went on."""

from typing import TYPE_CHECKING

from fersearch.context import components, open_store
from fersearch.trial import of_data

if TYPE_CHECKING:
    from fersearch.search.explanation import Explanation


def explain_trial(name: str, number: int, storage: str | None = None) -> "Explanation":
    """Explain why a trial stopped or went on: its last comparison, who was ahead of it and by what.

    Raises:
        UnknownName: there is no such study, or no trial of that number.
    """
    from fersearch.search.past_comparison import Recorded, explain  # here, because it imports numpy

    with open_store(storage) as store:
        study = store.study(name)
        trial = store.trial(study.id, number)
        trials = of_data(store.trials(study.id, [bound.metric for bound in study.spec.where]), trial.data_digest)
        at = None if study.spec.protocol.in_rounds else [trial.verdict.get("rung", 0)]
        recorded = Recorded(store.epoch_values(study.id, study.spec.compared, at=at), store.recorded_at(study.id, at))
    return explain(study.spec, components().metrics, trial, trials, recorded)
