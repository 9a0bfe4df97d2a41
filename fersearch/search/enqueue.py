"""Configurations that people ask a search to try next."""

from collections.abc import Iterable

from fersearch.trial import Enqueued, Trial


class Enqueue:
    """What was enqueued and is no trial yet, oldest first. Each is taken in once, also where it is told again."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._over = {trial.enqueued.uid for trial in trials if trial.enqueued}
        self._waiting: dict[str, Enqueued] = {}

    def put(self, wanted: Enqueued) -> bool:
        """Add a configuration; return False if it was taken out before, by this search or an earlier one."""
        if wanted.uid in self._over:
            return False
        self._waiting.setdefault(wanted.uid, wanted)
        return True

    def take(self) -> Enqueued | None:
        """Take the oldest one out; None if there is none."""
        if not self._waiting:
            return None
        wanted = self._waiting.pop(next(iter(self._waiting)))
        self._over.add(wanted.uid)
        return wanted
