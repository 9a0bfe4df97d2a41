"""Studies and trials as the data of charts."""

from fersearch.context import components, open_store
from fersearch.report.chart import StudyChart, TrialChart, study_chart, trial_chart
from fersearch.report.inputs import measures_of


def chart_study(name: str, storage: str | None = None) -> StudyChart:
    """Return a study's trials by columns, its front, and how its hypervolume grew; UnknownName if there is none."""
    with open_store(storage) as store:
        study = store.study(name)
        return study_chart(study, store.trials(study.id), measures_of(components()))


def chart_trial(name: str, number: int, storage: str | None = None) -> TrialChart:
    """Return a trial's confusion matrix and class scores; UnknownName if there is none of that number."""
    with open_store(storage) as store:
        study = store.study(name)
        store.trial(study.id, number)
        return trial_chart(study, store.history(study.id, number))
