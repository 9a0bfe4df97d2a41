"""Configurations that users enqueued to be tried next."""

from collections.abc import Iterable

from fersearch.trial import Enqueued, Trial


class Enqueue:
    """Enqueued configurations that are no trials yet, oldest first; one that is put again is ignored."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._over = {trial.enqueued.uid for trial in trials if trial.enqueued}
        self._waiting: dict[str, Enqueued] = {}

    def put(self, configuration: Enqueued) -> bool:
        """Add a configuration; return False if it was taken before, by this search or an earlier one."""
        if configuration.uid in self._over:
            return False
        self._waiting.setdefault(configuration.uid, configuration)
        return True

    def take(self) -> Enqueued | None:
        """Remove and return the oldest one; None if there is none."""
        if not self._waiting:
            return None
        configuration = self._waiting.pop(next(iter(self._waiting)))
        self._over.add(configuration.uid)
        return configuration
