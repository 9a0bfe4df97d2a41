"""The one writer of a study: a queue and a thread, so that training never waits for the database."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from fersearch.errors import StoreError
from fersearch.store.batch import Batch, Statements
from fersearch.store.engine import Database
from fersearch.trial import Attempt, Epoch, Trial

BATCH_SECONDS = 0.05
"""What is queued is committed after this time at the latest, or at once when somebody waits."""
QUEUE_LIMIT = 4096
"""How many calls may be queued; the next one waits for room."""

Entry = Callable[[Batch], None]


class Writer:
    """Writes the trials of one study in the order of the calls, many of them in one transaction.

    Whatever is written again (the same trial, attempt or epoch) changes nothing but the trial's and the attempt's
    last state, so a replay does no harm. An error in the thread is raised by every call that follows it.
    """

    def __init__(self, database: Database, study_id: int) -> None:
        self._database = database
        self._study_id = study_id
        self._statements = Statements(database.dialect)
        self._changed = threading.Condition()
        self._queue: deque[Entry] = deque()
        self._queued = self._committed = 0
        self._urgent = self._closed = False
        self._error: StoreError | None = None
        self._thread = threading.Thread(target=self._run, name="fersearch-writer", daemon=True)
        self._thread.start()

    def add_trial(self, trial: Trial) -> None:
        """Queue the row of a trial, new or changed."""
        self._put(lambda batch: batch.trial(trial))

    def update_trial(self, trial: Trial) -> None:
        """Queue the row of a trial that changed."""
        self.add_trial(trial)

    def start_attempt(self, number: int, attempt: Attempt) -> None:
        """Queue the row of an attempt, new or changed; its trial is running."""
        self._put(lambda batch: batch.start(number, attempt))

    def record(self, number: int, attempt: int, epoch: Epoch) -> None:
        """Queue an epoch; one that the attempt recorded already is ignored."""
        self._put(lambda batch: batch.epoch(number, attempt, epoch))

    def end_attempt(self, trial: Trial, attempt: Attempt, facts: Mapping[str, Any]) -> None:
        """Write the end of an attempt and what its trial became, and wait until they are committed.

        `facts` become the attempt's environment, but for what differs between attempts in one environment:
        `resumed_from` (epoch), `seconds_to_first_step` and `checkpoint_bytes`, which have columns of their own.
        """
        self._wait(self._put(lambda batch: batch.end(trial, attempt, facts)))

    def flush(self) -> None:
        """Wait until everything queued so far is committed; StoreError if it could not be."""
        self._wait(self._queued)

    def close(self) -> None:
        """Flush, and end the thread."""
        if self._closed:
            return
        try:
            self.flush()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.close()
        except StoreError:
            if error is None:  # else the error under way says more
                raise

    def _put(self, entry: Entry) -> int:
        with self._changed:
            self._changed.wait_for(lambda: len(self._queue) < QUEUE_LIMIT or self._error or self._closed)
            self._check()
            self._queue.append(entry)
            self._queued += 1
            if len(self._queue) == 1 or len(self._queue) == QUEUE_LIMIT:
                self._changed.notify_all()
            return self._queued

    def _wait(self, count: int) -> None:
        with self._changed:
            if self._committed < count and not self._error:
                self._urgent = True
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._committed >= count or self._error)
            self._check()

    def _check(self) -> None:
        if self._error:
            raise StoreError(self._error.message, self._error.hint) from self._error
        if self._closed:
            raise StoreError("the writer of this study is closed", "open another with store.writer(study_id)")

    def _run(self) -> None:
        while entries := self._next():
            try:
                self._write(entries)
            except Exception as error:
                with self._changed:
                    self._error = error if isinstance(error, StoreError) else _unexpected(error)
                    self._queue.clear()
                    self._changed.notify_all()
                return
            with self._changed:
                self._committed += len(entries)
                self._changed.notify_all()

    def _next(self) -> list[Entry]:
        """Everything queued, once there is something and it has waited long enough; nothing when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._changed.wait_for(
                lambda: self._urgent or self._closed or len(self._queue) >= QUEUE_LIMIT, timeout=BATCH_SECONDS
            )
            entries = list(self._queue)
            self._queue.clear()
            self._urgent = False
            self._changed.notify_all()
            return entries

    def _write(self, entries: list[Entry]) -> None:
        batch = Batch(self._study_id)
        for entry in entries:
            entry(batch)
        with self._database.write() as connection:
            batch.write(connection, self._database.dialect, self._statements)


def _unexpected(error: Exception) -> StoreError:
    cause = f"{type(error).__name__}: {error}"
    return StoreError(f"the study's rows could not be written: {cause}", "what was committed before stays as it is")
