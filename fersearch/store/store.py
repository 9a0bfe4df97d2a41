"""The entry to the database: all reads and writes of studies."""

from functools import cached_property
from types import TracebackType
from typing import Self

from sqlalchemy import select

from fersearch.store import schema
from fersearch.store.database import Database
from fersearch.store.enqueued import EnqueuedQueries
from fersearch.store.events import LOSSES, EventQueries
from fersearch.store.lease import Lease
from fersearch.store.logbook import Logbook
from fersearch.store.prior import PriorQueries
from fersearch.store.queue import QueueQueries
from fersearch.store.studies import StudyQueries
from fersearch.store.tables import identity
from fersearch.store.tokens import TokenQueries
from fersearch.store.trials import TrialQueries
from fersearch.store.writer import Writer


class Store(
    StudyQueries, TrialQueries, EventQueries, QueueQueries, EnqueuedQueries, PriorQueries, TokenQueries, Logbook
):
    """An open database. Each method is one short transaction, and raises StoreError if that fails.

    Trials, attempts and epochs are written by the `Writer` of the process that holds the study's `Lease`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Self:
        """Open the database at a SQLAlchemy URL, migrate it if needed, and create it if `create` is set.

        Raises:
            NoDatabase: there is none, and `create` is not set.
            StoreError: it cannot be reached, is not a database, or is of a newer fersearch.
        """
        database = Database(url, create=create)
        try:
            schema.prepare(database, create=create)
            store = cls(database)
            if database.file:
                database.file.record_place(database.file.at(), store.identity)
        except BaseException:
            database.close()
            raise
        return store

    @property
    def url(self) -> str:
        """The URL of the database, without a password."""
        return self.database.url

    @cached_property
    def identity(self) -> str:
        """The random id of this database, shared by its copies."""
        with self.database.read() as connection:
            return str(connection.execute(select(identity.c.id)).scalar_one())

    @property
    def notice(self) -> str:
        """A notice for the user, shown once; empty if there is none."""
        return self.database.notice

    def repaired(self) -> list[str]:
        """Return the messages about loss and repair of the database's files since the last call."""
        return self.database.file.repaired() if self.database.file else []

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def writer(self, study_id: int, lease: Lease | None = None) -> Writer:
        """Return the writer of a study's trials; with the study's lease, no other process can write."""
        metrics = {*self.objectives(study_id), *LOSSES}
        last_event = self.last_event(study_id)
        return Writer(self.database, study_id, lease, self.seconds_run(study_id), last_event, metrics)
