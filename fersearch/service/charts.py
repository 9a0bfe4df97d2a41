"""The last charts of studies, of which an epoch changes only the entries of its trial."""

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from fersearch import api

if TYPE_CHECKING:
    from fersearch.api.results import StudyChart

MOST = 8
"""Number of charts held, of the studies that were looked at last."""


class RecentCharts:
    """Charts of studies, each made from the one before it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._charts: OrderedDict[str, StudyChart] = OrderedDict()

    def of(self, study: str, storage: str | None) -> "StudyChart":
        """Return the chart of a study. Raise UnknownName if there is no such study."""
        chart = api.chart_study(study, storage, before=self._charts.get(study))
        with self._lock:
            self._charts[study] = chart
            self._charts.move_to_end(study)
            if len(self._charts) > MOST:
                self._charts.popitem(last=False)
        return chart
