"""Enqueued configurations: stored among the requests to a study's driver until they are trials."""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Connection, Text, delete, select, type_coerce

from fersearch.store.control import ENQUEUE, add_request
from fersearch.store.database import Database
from fersearch.store.tables import control
from fersearch.trial import Enqueued


class EnqueuedQueries:
    """Queries on enqueued configurations; each method is one short transaction."""

    database: Database

    def enqueue_trials(self, study_id: int, configurations: Iterable[Enqueued]) -> None:
        """Store configurations in order for the study's driver, present or next."""
        with self.database.write() as connection:
            for one in configurations:
                add_request(connection, study_id, ENQUEUE, asdict(one))

    def enqueued(self, study_id: int) -> list[Enqueued]:
        """Return the enqueued configurations that are not trials yet, oldest first."""
        own = (control.c.study_id == study_id, control.c.kind == ENQUEUE)
        with self.database.read() as connection:
            payloads = connection.execute(select(control.c.payload).where(*own).order_by(control.c.id)).scalars()
            return [Enqueued(**payload) for payload in payloads]


def withdraw_enqueued(connection: Connection, study_id: int, configuration: Enqueued) -> None:
    """Remove a configuration that a driver has taken."""
    is_it = type_coerce(control.c.payload, Text).contains(configuration.uid)
    own = (control.c.study_id == study_id, control.c.kind == ENQUEUE)
    connection.execute(delete(control).where(*own, is_it))
