"""Studies and trials as the data of charts."""

from collections.abc import Mapping
from functools import lru_cache

from fersearch.context import components, open_store
from fersearch.plugins import folder_files, plugin_folder
from fersearch.report.chart import StudyChart, TrialChart, study_chart, trial_chart
from fersearch.report.inputs import Measure, measures_of


def chart_study(name: str, storage: str | None = None) -> StudyChart:
    """Return a study's trials by columns, its front, and how its hypervolume grew; UnknownName if there is none."""
    with open_store(storage) as store:
        study = store.study(name)
        return study_chart(study, store.trials(study.id), _measures())


def chart_trial(name: str, number: int, storage: str | None = None) -> TrialChart:
    """Return a trial's confusion matrix and class scores; UnknownName if there is none of that number."""
    with open_store(storage) as store:
        study = store.study(name)
        store.trial(study.id, number)
        return trial_chart(study, store.history(study.id, number))


def _measures() -> Mapping[str, Measure]:
    """Return what axes need of every metric at hand; components are loaded anew when the plugins folder changes."""
    return _measures_with(tuple((str(path), path.stat().st_mtime_ns) for path in folder_files(plugin_folder())))


@lru_cache(maxsize=1)
def _measures_with(_files: tuple[tuple[str, int], ...]) -> Mapping[str, Measure]:
    return measures_of(components())
