"""Chart data of studies and trials."""

from collections.abc import Mapping
from functools import lru_cache

from fersearch.context import components, open_store
from fersearch.plugins import folder_files, plugin_folder
from fersearch.report.chart import StudyChart, TrialChart, study_chart, trial_chart
from fersearch.report.inputs import Measure, measures_of


def chart_study(name: str, storage: str | None = None, *, before: StudyChart | None = None) -> StudyChart:
    """Return the columns of a study's trials, its front and its growing hypervolume. Raise UnknownName if missing.

    An earlier chart of the study makes it faster while trials run.
    """
    with open_store(storage) as store:
        study = store.study(name)
        return study_chart(study, store.trials(study.id), _measures(), before)


def chart_trial(name: str, number: int, storage: str | None = None) -> TrialChart:
    """Return a trial's confusion matrix and class scores. Raise UnknownName if there is no such trial."""
    with open_store(storage) as store:
        study = store.study(name)
        store.trial(study.id, number)
        return trial_chart(study, store.history(study.id, number))


def _measures() -> Mapping[str, Measure]:
    """Return the axis properties of every metric; components are reloaded when the plugins folder changes."""
    return _measures_with(tuple((str(path), path.stat().st_mtime_ns) for path in folder_files(plugin_folder())))


@lru_cache(maxsize=1)
def _measures_with(_files: tuple[tuple[str, int], ...]) -> Mapping[str, Measure]:
    return measures_of(components())
