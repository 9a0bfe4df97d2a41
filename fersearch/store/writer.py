"""The one writer of a study: a queue and a thread, so that training never waits for the database."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from fersearch.errors import FersearchError, StoreError, StoreUnavailable
from fersearch.store.batch import Batch, Statements
from fersearch.store.database import Database
from fersearch.store.events import (
    DAYS,
    Event,
    changed,
    ended,
    epoch_recorded,
    front_changed,
    released,
    started,
    study_changed,
)
from fersearch.store.lease import Lease
from fersearch.store.tables import now
from fersearch.trial import Attempt, Enqueued, Epoch, Trial

BATCH_SECONDS = 0.05
"""Longest delay until queued calls are committed; they are committed at once if a thread waits for them."""
BATCH_LIMIT = 4096
"""Most calls in a transaction."""
QUEUE_LIMIT = 32_768
"""Most queued calls (some 60 MB of epochs); the next one waits for room."""
ANSWER_SECONDS = 5.0
"""Seconds without an answer after which a database counts as unavailable; one that refuses does at once."""
OUTAGE_SECONDS = 600.0
"""Seconds that the database may be unavailable before the study should stop."""
CLOSING_SECONDS = 60.0
"""Seconds that a closing writer waits for an unavailable database."""
PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between the thread's retries; the last value repeats."""

Entry = Callable[[Batch], None]


class Writer:
    """The writer of one study's trials: writes in the order of the calls, many of them in one transaction.

    Writing the same trial, attempt or epoch again only updates the state of the trial and the attempt, so that a
    replay does no harm. If the database becomes unavailable, a batch that may or may not have been committed is
    written again once it is back, then all later ones in order; meanwhile only callers that find the queue full wait.
    Any other error in the thread is raised by every later call.

    With a lease, each transaction checks that it is still held. `seconds` is the running time of the study so far,
    `last_event` the number of its last event: events of the written rows are stored in the same transaction, with
    the values of `metrics`.
    """

    def __init__(
        self,
        database: Database,
        study_id: int,
        lease: Lease | None = None,
        seconds: float = 0.0,
        last_event: int = 0,
        metrics: Collection[str] = (),
    ) -> None:
        self._database = database
        self._study_id = study_id
        self._lease = lease
        self._seconds = seconds
        self._last_event, self._metrics = last_event, metrics
        self._forget_before: datetime | None = now() - timedelta(days=DAYS)
        self._statements = Statements(database.engine.dialect)
        self._changed = threading.Condition()
        self._queue: deque[Entry] = deque()
        self._queued = self._committed = self._demanded = 0
        self._closed = False
        self._error: FersearchError | None = None
        self._away: StoreUnavailable | None = None
        self._tried: float | None = None  # since when the current batch has been tried
        self._thread = threading.Thread(target=self._run, name="fersearch-writer", daemon=True)
        self._thread.start()

    @property
    def outage(self) -> float:
        """Seconds since the database became unavailable; 0 while it answers."""
        since = self._tried
        seconds = 0.0 if since is None else time.monotonic() - since
        return seconds if self._away or seconds > ANSWER_SECONDS else 0.0

    @property
    def must_stop(self) -> bool:
        """Whether the database has been unavailable so long that the study should stop."""
        return self.outage > OUTAGE_SECONDS

    @property
    def trouble(self) -> str:
        """The error of a database that is unavailable, as text."""
        return self._away.message if self._away else f"database {self._database.url} does not answer"

    def add_trial(self, trial: Trial, *, begins: bool = True) -> None:
        """Queue the row of a trial, new or changed.

        One that was not enqueued `begins` at once, and its start is an event; otherwise its row is one.
        """
        moment = now()
        event = changed(trial) if trial.enqueued or not begins else None
        self._put(lambda batch: batch.trial(trial, moment), event=event)

    def withdraw(self, configuration: Enqueued) -> None:
        """Queue the removal of an enqueued configuration."""
        self._put(lambda batch: batch.withdrawn.append(configuration))

    def update_trial(self, trial: Trial) -> None:
        """Queue the row of a trial that changed."""
        moment = now()
        self._put(lambda batch: batch.trial(trial, moment), event=changed(trial))

    def start_attempt(self, number: int, attempt: Attempt) -> None:
        """Queue the row of an attempt, new or changed; its trial is running."""
        moment = now()
        event = started(number, attempt) if attempt.pid is None and attempt.reason is None else None
        self._put(lambda batch: batch.start(number, attempt, moment), event=event)

    def record(self, number: int, attempt: int, epoch: Epoch) -> None:
        """Queue an epoch; one that the attempt recorded already is ignored."""
        moment = now()
        event = epoch_recorded(number, epoch, self._metrics)
        self._put(lambda batch: batch.epoch(number, attempt, epoch, moment), event=event)

    def end_attempt(self, trial: Trial, attempt: Attempt, facts: Mapping[str, Any]) -> None:
        """Queue the end of an attempt and the new state of its trial, to be committed at once.

        The call does not wait for the commit, as a driver of a thousand slots would do little else. Actions that must
        follow the commit (such as removing the trial's states) belong into `after_commit`.

        `facts` become the attempt's environment, except those that differ between attempts in one environment:
        `resumed_from` (epoch), `seconds_to_first_step` and `checkpoint_bytes`, which have columns of their own.
        """
        moment = now()
        event = ended(trial, attempt, self._metrics)
        self._put(lambda batch: batch.end(trial, attempt, facts, moment), at_once=True, event=event)

    def front_changed(self, numbers: Sequence[int]) -> None:
        """Queue the event of a changed front with its trials."""
        self._put(lambda _: None, event=front_changed(numbers))

    def study_changed(self, kind: str, data: Mapping[str, Any]) -> None:
        """Queue an event about the study as a whole: its state, the slots that it holds."""
        self._put(lambda _: None, event=study_changed(kind, data))

    def release(self, trial: Trial) -> None:
        """Queue the release of an ended trial's checkpoint under its keep policy."""
        self._put(lambda batch: batch.release(trial.number, trial.released), event=released(trial))

    def forget_epochs(self, number: int, attempt: int) -> None:
        """Queue the removal of the epochs that earlier attempts of a trial recorded."""
        self._put(lambda batch: batch.forget_epochs(number, attempt))

    def add_seconds(self, seconds: float) -> None:
        """Queue an addition to the running time that the study has used."""
        self._seconds += seconds
        total = self._seconds
        self._put(lambda batch: batch.seconds(total))

    def after_commit(self, action: Callable[[], None]) -> None:
        """Call `action` in the writer's thread after all calls queued before it are committed; never if that fails."""
        self._put(lambda batch: batch.actions.append(action))

    def flush(self) -> None:
        """Wait until all calls queued so far are committed; StoreError if they could not be."""
        self._demand(lambda: self.must_stop)

    def close(self) -> None:
        """Flush, waiting at most a minute for an unavailable database, and end the thread."""
        if self._closed:
            return
        deadline = time.monotonic() + (ANSWER_SECONDS if self.must_stop else CLOSING_SECONDS)
        try:
            self._demand(lambda: self.outage > 0 and time.monotonic() > deadline)
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._thread.join(ANSWER_SECONDS)  # a thread that hangs on a dead connection ends with the process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close()
        except FersearchError:
            if error is None:  # else the error under way says more
                raise

    def _put(self, entry: Entry, at_once: bool = False, event: Event | None = None) -> None:
        """Queue an entry's rows for the next batch, and its event."""
        if event is not None:
            entry = self._with_event(entry, event)
        with self._changed:
            while not self._has_room():
                self._changed.wait(0.5)
            self._check()
            self._queue.append(entry)
            self._queued += 1
            if at_once:
                self._demanded = self._queued
            if at_once or len(self._queue) in (1, BATCH_LIMIT):
                self._changed.notify_all()

    def _with_event(self, entry: Entry, event: Event) -> Entry:
        moment = now()

        def write(batch: Batch) -> None:
            entry(batch)
            self._last_event += 1
            batch.event(event, self._last_event, moment)

        return write

    def _has_room(self) -> bool:
        # A study that must stop queues little more, and must not wait before it saves its trials.
        return len(self._queue) < QUEUE_LIMIT or self._error is not None or self._closed or self.must_stop

    def _demand(self, gives_up: Callable[[], bool]) -> None:
        if not self._wait(count := self._queued, gives_up):
            raise self._abandoned(count - self._committed)

    def _wait(self, count: int, gives_up: Callable[[], bool]) -> bool:
        """Wait until this many calls are committed; return whether they are."""
        with self._changed:
            self._demanded = max(self._demanded, count)
            self._changed.notify_all()
            while self._committed < count and not self._error and not gives_up():
                self._changed.wait(0.5)
            self._check()
            return self._committed >= count

    def _check(self) -> None:
        if self._error:
            raise type(self._error)(self._error.message, self._error.hint) from self._error
        if self._closed:
            raise StoreError("the writer of this study is closed", "open another with store.writer(study_id)")

    def _run(self) -> None:
        while entries := self._next():
            try:
                batch = Batch(self._study_id)
                for entry in entries:
                    entry(batch)
                batch.forget_before, self._forget_before = self._forget_before, None
                if not self._commit_with_retries(batch):
                    return
                for action in batch.actions:
                    action()
            except Exception as error:
                with self._changed:
                    self._error = error if isinstance(error, FersearchError) else _unexpected(error)
                    self._queue.clear()
                    self._changed.notify_all()
                return
            with self._changed:
                self._committed += len(entries)
                self._changed.notify_all()

    def _next(self) -> list[Entry]:
        """Return the queued entries, once there are some and they have waited long enough; empty if closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._changed.wait_for(
                lambda: self._demanded > self._committed or self._closed or len(self._queue) >= BATCH_LIMIT,
                timeout=BATCH_SECONDS,
            )
            entries = [self._queue.popleft() for _ in range(min(BATCH_LIMIT, len(self._queue)))]
            self._changed.notify_all()
            return entries

    def _commit_with_retries(self, batch: Batch) -> bool:
        """Write the rows, retrying while the database is unavailable; return False if the writer closes meanwhile."""
        self._tried = time.monotonic()
        for pause in itertools.chain(PAUSES, itertools.repeat(PAUSES[-1])):
            try:
                self._write(batch)
            except StoreUnavailable as error:
                with self._changed:
                    self._away = error
                    self._changed.notify_all()
                    if self._changed.wait_for(lambda: self._closed, timeout=pause):
                        return False
            else:
                self._tried = self._away = None
                break
        return True

    def _write(self, batch: Batch) -> None:
        if self._lease is None:
            with self._database.write() as connection:
                batch.write(connection, self._statements)
            return
        written = self._lease.written + batch.has_rows
        with self._database.write() as connection:
            self._lease.assert_held(connection, written)
            batch.write(connection, self._statements)
        self._lease.wrote(written)

    def _abandoned(self, calls: int) -> StoreUnavailable:
        name = self._lease.study_name if self._lease else "NAME"
        advice = f"{self._away.hint}\n" if self._away and self._away.hint else ""
        return StoreUnavailable(
            f"{self.trouble} (for {self.outage:.0f} s; the last {calls} changes of the study are not in it)",
            f"{advice}trials' states are kept: when the database is back, continue with: fersearch study run {name}",
        )


def _unexpected(error: Exception) -> StoreError:
    cause = f"{type(error).__name__}: {error}"
    return StoreError(f"the study's rows could not be written: {cause}", "what was committed before stays as it is")
