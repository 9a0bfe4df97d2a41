"""The right to be the service of a database: one process at a time."""

import threading
from dataclasses import asdict, fields
from datetime import timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Row, delete, insert, select, update

from fersearch.errors import StoreError, StudyBusy
from fersearch.store.database import Database
from fersearch.store.lease import BEAT_SECONDS, LAPSE_SECONDS, Holder
from fersearch.store.tables import clock, services

ONLY = 1


class ServiceLease:
    """The service's row in a database. It sends heartbeats until released; a dead holder's row counts no longer."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="fersearch-service-lease", daemon=True)
        self._thread.start()

    @classmethod
    def take(cls, database: Database, address: str) -> Self:
        """Take the lease as the service of a database, reached at an address.

        Raises:
            StudyBusy: a living service has it; the message says where.
        """
        with database.write() as connection:
            row = connection.execute(select(services).where(services.c.id == ONLY)).one_or_none()
            if row is not None and not _is_over(connection, row):
                raise StudyBusy(
                    f"a service runs on this database already: {row.address}, process {row.pid} on {row.host}",
                    "use it, or end it first; another database goes by --storage or FERSEARCH_STORAGE",
                )
            connection.execute(delete(services))
            values = {"id": ONLY, "address": address, "last_beat_at": clock(connection)}
            connection.execute(insert(services).values(**asdict(Holder.this()), **values))
        return cls(database)

    def release(self) -> None:
        """Release the lease."""
        self._released.set()
        self._thread.join(BEAT_SECONDS)
        with self._database.write() as connection:
            connection.execute(delete(services).where(services.c.id == ONLY))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.release()
        except StoreError:
            if error is None:
                raise

    def _beat_on(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            try:
                with self._database.write() as connection:
                    moment = clock(connection)
                    connection.execute(update(services).where(services.c.id == ONLY).values(last_beat_at=moment))
            except StoreError:
                continue


def _is_over(connection: Connection, row: Row[tuple[object, ...]]) -> bool:
    holder = Holder(**{field.name: getattr(row, field.name) for field in fields(Holder)})
    if holder.is_dead():
        return True
    silent = clock(connection) - row.last_beat_at
    return holder.is_elsewhere() and silent > timedelta(seconds=LAPSE_SECONDS)
