"""Verbs that read a service's studies and trials."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from fersearch.api.remote import reading
from fersearch.api.remote.connection import Connection, refuse_storage, study_path
from fersearch.api.studies import StudyView, TrialView
from fersearch.errors import UsageError
from fersearch.notebook import Trials
from fersearch.search.explanation import Explanation
from fersearch.search.picking import bounds_of
from fersearch.store import StudySummary
from fersearch.study import StudySpec
from fersearch.study_front import Front


class LookingVerbs:
    """The read-only verbs of `fersearch.api`, with the same arguments as the local ones."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._service = Connection(url, token)

    def close(self) -> None:
        """Close the connection."""
        self._service.close()

    def list_studies(self, storage: str | None = None, *, all: bool = False) -> list[StudySummary]:
        """Return the studies of the service; with `all` also the studies `finish/NAME`."""
        refuse_storage(storage)
        return [reading.summary(data) for data in self._service.pages("studies", **({"all": True} if all else {}))]

    def matching_studies(self, patterns: Sequence[str], storage: str | None = None) -> list[str]:
        """Return the names of the studies that match patterns."""
        known = [one.name for one in self.list_studies(storage)] if any("*" in text for text in patterns) else []
        names = [
            name for text in patterns for name in ([text] if "*" not in text else known) if fnmatchcase(name, text)
        ]
        if not names:
            raise UsageError(f"no study matches '{patterns[0]}'", "see: fersearch study list")
        return list(dict.fromkeys(names))

    def show_study(self, name: str, storage: str | None = None) -> StudyView:
        """Return one study."""
        refuse_storage(storage)
        return reading.view(self._service.get(study_path(name)), self.study_spec(name))

    def study_spec(self, name: str, storage: str | None = None) -> StudySpec:
        """Return a study's specification."""
        refuse_storage(storage)
        return StudySpec.from_json(self._service.get(study_path(name, "/spec")))

    def list_trials(self, name: str, storage: str | None = None) -> Trials:
        """Return the trials of a study by number."""
        refuse_storage(storage)
        rows = self._service.pages(study_path(name, "/trials"))
        return Trials(map(reading.trial, rows), self.study_spec(name).objectives)

    def show_trial(self, name: str, number: int, storage: str | None = None) -> TrialView:
        """Return one trial with its epochs."""
        refuse_storage(storage)
        return reading.trial_view(self._service.get(study_path(name, f"/trials/{number}")))

    def explain_trial(self, name: str, number: int, storage: str | None = None) -> Explanation:
        """Explain why a trial stopped or went on."""
        refuse_storage(storage)
        return reading.explanation(self._service.get(study_path(name, f"/trials/{number}/explanation")))

    def importance(self, name: str, storage: str | None = None) -> dict[str, Any]:
        """Return how much each parameter decides about each objective."""
        refuse_storage(storage)
        record = self._service.get(study_path(name, "/importance"))
        return {key: record[key] for key in ("method", "objectives", "needed")}

    def front(self, name: str, *, where: Sequence[str] = (), storage: str | None = None) -> Front:
        """Return the Pareto front of a study."""
        refuse_storage(storage)
        rows = self._service.get(study_path(name, "/front"), where=list(where))
        study = self._service.get(study_path(name))
        trials, spec = [reading.trial(data) for data in rows], self.study_spec(name)
        bounds = tuple(dict.fromkeys((*spec.where, *bounds_of(where, trials))))
        baseline, tolerances = study["baseline"], study["cost_tolerances"]
        return Front(name, trials, spec.objectives, baseline, constraints=bounds, tolerances=tolerances)
