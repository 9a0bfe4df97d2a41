"""Records beside a study: looks at held-out splits, environments, requests to its driver."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select

from fersearch.store.control import Control, add_request
from fersearch.store.database import Database, upsert
from fersearch.store.records import Look
from fersearch.store.tables import environments, looks, now, studies


class Logbook:
    """Looks, environments and requests; each method is one short transaction."""

    database: Database

    def request(self, study_id: int, kind: str, payload: Mapping[str, Any]) -> None:
        """Store a request for the study's driver."""
        with self.database.write() as connection:
            add_request(connection, study_id, kind, payload)

    def control(self, study_id: int) -> Control:
        """Return the channel of requests to a study, for the process that holds its lease."""
        return Control(self.database, study_id)

    def add_look(
        self, study_uid: str | None, checkpoint: str, dataset: str, split: str, n: int, metrics: Mapping[str, Any]
    ) -> int:
        """Record the evaluation of a checkpoint (by digest) of a study (by its `uid`) on `n` images of a split.

        Returns the number of looks at the study so far. For a study that is not in this database only the look is
        stored, and 1 is returned.
        """
        row = {"checkpoint": checkpoint, "dataset": dataset, "split": split, "n": n, "metrics": dict(metrics)}
        with self.database.write() as connection:
            own = connection.execute(select(studies.c.id).where(studies.c.uid == study_uid)).scalar()
            connection.execute(insert(looks).values(study_id=own, looked_at=now(), **row))
            if own is None:
                return 1
            count = select(func.count()).select_from(looks).where(looks.c.study_id == own)
            return connection.execute(count).scalar_one()

    def looks(self, study_id: int) -> list[Look]:
        """Return the looks at a study's checkpoints, oldest first."""
        with self.database.read() as connection:
            return _looks(connection, looks.c.study_id == study_id).get(study_id, [])

    def environment(self, study_id: int, facts: Mapping[str, Any]) -> int:
        """Return the id of the environment with these facts (package versions, device), added when it is new."""
        with self.database.write() as connection:
            return environment(connection, self.database.dialect, study_id, facts)

    def environments(self, study_id: int) -> list[dict[str, Any]]:
        """Return the facts of every environment that a study ran in, oldest first."""
        query = select(environments.c.facts).where(environments.c.study_id == study_id)
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(environments.c.id)).scalars())


def looks_by_study(connection: Connection) -> dict[int, list[Look]]:
    """Return the looks at every study's checkpoints by study id, oldest first."""
    return _looks(connection, looks.c.study_id.is_not(None))


def _looks(connection: Connection, which: ColumnElement[bool]) -> dict[int, list[Look]]:
    c = looks.c
    query = select(c.study_id, c.checkpoint, c.dataset, c.split, c.n, c.metrics, c.looked_at).where(which)
    by_study: dict[int, list[Look]] = defaultdict(list)
    for study_id, *row in connection.execute(query.order_by(c.id)):
        by_study[study_id].append(Look(*row))
    return by_study


def environment(connection: Connection, dialect: str, study_id: int, facts: Mapping[str, Any]) -> int:
    """Return the id of the environment with these facts (package versions, device), added when it is new."""
    text = json.dumps(dict(facts), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    row = {"study_id": study_id, "digest": digest, "facts": dict(facts), "first_seen_at": now()}
    connection.execute(upsert(dialect, environments).values(row).on_conflict_do_nothing())
    same = (environments.c.study_id == study_id, environments.c.digest == digest)
    return int(connection.execute(select(environments.c.id).where(*same)).scalar_one())
