"""The database of a process that stays open: all verbs use one connection pool, and trials are read once."""

from collections.abc import Collection

from fersearch.store.database import Database
from fersearch.store.store import Store
from fersearch.store.trial_memory import TrialMemory
from fersearch.trial import Trial


class SharedStore(Store):
    """A store that API calls use but do not close, as the process owns it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._memory = TrialMemory(database)

    def trials(
        self,
        study_id: int,
        names: Collection[str] | None = None,  # noqa: ARG002  # it saves nothing to leave out what is at hand
        *,
        of: Collection[int] | None = None,
    ) -> list[Trial]:
        """Return the trials by number, with their attempts and all values, whichever `names` has."""
        trials = self._memory.trials(study_id)
        return list(trials.values()) if of is None else [trials[number] for number in sorted(of) if number in trials]

    def close(self) -> None:
        """Leave the connections open: the owner of the database closes it."""
