"""The exclusive right to be the service of a database, identified as the driver of a study is."""

import secrets
import threading
from dataclasses import asdict
from types import TracebackType
from typing import Self

from sqlalchemy import delete, insert, select, update

from fersearch.errors import StoreError, StudyBusy
from fersearch.store.database import Database
from fersearch.store.lease import BEAT_SECONDS, Holder, has_lapsed
from fersearch.store.tables import clock, services

ONLY = 1


class ServiceLease:
    """The service's row in a database. It sends heartbeats until released; `lost` is set once another has it."""

    def __init__(self, database: Database, token: str) -> None:
        self._database, self._token = database, token
        self._released = threading.Event()
        self.lost = False
        self._thread = threading.Thread(target=self._send_heartbeats, name="fersearch-service-lease", daemon=True)
        self._thread.start()

    @classmethod
    def take(cls, database: Database, address: str) -> Self:
        """Acquire the lease as the service of a database, with the address at which it is reached.

        Raises:
            StudyBusy: a living service has it; the message has its address.
        """
        token = secrets.token_hex(8)
        with database.write() as connection:
            row = connection.execute(select(services).where(services.c.id == ONLY)).one_or_none()
            if row is not None and not has_lapsed(connection, row):
                raise StudyBusy(
                    f"a service runs on this database already: {row.address}, process {row.pid} on {row.host}",
                    "use it, or end it first; or give another database with --storage or FERSEARCH_STORAGE",
                )
            connection.execute(delete(services))
            values = {"id": ONLY, "address": address, "token": token, "last_beat_at": clock(connection)}
            connection.execute(insert(services).values(**asdict(Holder.this()), **values))
        return cls(database, token)

    def beat(self) -> None:
        """Send a heartbeat, and set `lost` if the lease is lost; StoreError if the database cannot be reached."""
        own = update(services).where(services.c.token == self._token)
        with self._database.write() as connection:
            changed = connection.execute(own.values(last_beat_at=clock(connection)))
            self.lost = self.lost or changed.rowcount == 0

    def release(self) -> None:
        """Release the lease; a lost lease stays with its new holder."""
        self._released.set()
        self._thread.join(BEAT_SECONDS)
        with self._database.write() as connection:
            connection.execute(delete(services).where(services.c.token == self._token))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            self.release()
        except StoreError:
            if error is None:
                raise

    def _send_heartbeats(self) -> None:
        while not self._released.wait(BEAT_SECONDS):
            try:
                self.beat()
            except StoreError:
                continue
