"""A cache of trials: of a running study, only the trials that new events name are read again."""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from threading import Lock

from sqlalchemy import Connection, func, select

from fersearch.store.database import Database
from fersearch.store.tables import events, studies, trials
from fersearch.store.trials import read_trials
from fersearch.trial import Trial

MOST = 10_000
"""Most trials held, of the most recently used studies; a study with more is read each time."""


@dataclass(frozen=True)
class _Memory:
    """The trials of a study by number, in order, as they were at its revision and its last event.

    `under_way` are the numbers of those that have not ended.
    """

    revision: int
    last: int
    trials: dict[int, Trial]
    under_way: frozenset[int] = frozenset()


class TrialMemory:
    """The trials of studies, up to date at each call, for the threads of one process.

    It relies on `Store.version`: a change of a trial comes with an event that names it, or increases the
    study's revision.
    """

    def __init__(self, database: Database, most: int = MOST) -> None:
        self._database, self._most = database, most
        self._lock = Lock()
        self._memories: OrderedDict[int, _Memory] = OrderedDict()

    def trials(self, study_id: int) -> Mapping[int, Trial]:
        """Return the trials of a study by number, in order, with all their values."""
        with self._lock:
            with self._database.read() as connection:
                memory = _refreshed(connection, study_id, self._memories.get(study_id))
            self._keep(study_id, memory)
        return memory.trials

    def _keep(self, study_id: int, memory: _Memory) -> None:
        self._memories[study_id] = memory
        self._memories.move_to_end(study_id)
        count = sum(len(one.trials) for one in self._memories.values())
        while count > self._most:
            _, evicted = self._memories.popitem(last=False)
            count -= len(evicted.trials)


def _refreshed(connection: Connection, study_id: int, memory: _Memory | None) -> _Memory:
    """Return the trials of a study as the transaction of a connection sees them."""
    last_event = select(func.max(events.c.id)).where(events.c.study_id == study_id).scalar_subquery()
    row = connection.execute(select(studies.c.revision, last_event).where(studies.c.id == study_id)).one_or_none()
    if row is None:
        return _Memory(0, 0, {})
    revision, last = row[0], row[1] or 0
    numbers = _changed(connection, study_id, memory, revision, last) if memory else None
    if memory is None or numbers is None:
        whole = {trial.number: trial for trial in read_trials(connection, study_id)}
        return _Memory(revision, last, whole, _under_way(whole))
    new = {trial.number: trial for trial in read_trials(connection, study_id, numbers)}
    merged = _merged(memory.trials, numbers, new) if numbers else memory.trials
    return _Memory(revision, last, merged, (memory.under_way - set(numbers)) | _under_way(new))


def _under_way(trials: Mapping[int, Trial]) -> frozenset[int]:
    return frozenset(number for number, trial in trials.items() if not trial.state.ended)


def _merged(trials: dict[int, Trial], numbers: Collection[int], new: Mapping[int, Trial]) -> dict[int, Trial]:
    """Return trials by number in order, those of `numbers` replaced by the new ones or removed."""
    merged = {**trials, **new}
    for number in set(numbers) - set(new):
        merged.pop(number, None)
    added = sorted(set(new) - set(trials))
    follows = not added or not trials or added[0] > next(reversed(trials))
    return merged if follows and list(new) == sorted(new) else dict(sorted(merged.items()))


def _changed(
    connection: Connection, study_id: int, memory: _Memory, revision: int, last: int
) -> Collection[int] | None:
    """Return the trials that may differ from those held; None if the events since then are incomplete."""
    if revision != memory.revision or last < memory.last:
        return None
    if last == memory.last:
        return ()
    since = select(events.c.trial).where(events.c.study_id == study_id, events.c.id > memory.last)
    named = connection.execute(since).scalars().all()
    if len(named) != last - memory.last:  # some were pruned
        return None
    new = select(trials.c.number).where(trials.c.study_id == study_id, trials.c.number > max(memory.trials, default=-1))
    return memory.under_way | {number for number in named if number is not None} | {*connection.execute(new).scalars()}
