"""Small tables beside the trials: what other commands ask, who opened the test split, where trials ran."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from fersearch.store.engine import upsert
from fersearch.store.records import Look, Request
from fersearch.store.tables import environments, looks, now, requests, studies


def ask(connection: Connection, study_id: int, kind: str, payload: Mapping[str, Any]) -> None:
    """Leave a request for the study's driver."""
    row = {"study_id": study_id, "kind": kind, "payload": dict(payload), "asked_at": now()}
    connection.execute(insert(requests).values(row))


def pending(connection: Connection, study_id: int) -> list[Request]:
    """The requests that nobody took yet, oldest first."""
    c = requests.c
    query = select(c.id, c.kind, c.payload, c.asked_at).where(c.study_id == study_id, c.taken_at.is_(None))
    return [Request(*row) for row in connection.execute(query.order_by(c.id))]


def take(connection: Connection, found: list[Request]) -> None:
    """Mark requests as taken."""
    ids = [request.id for request in found]
    connection.execute(update(requests).where(requests.c.id.in_(ids)).values(taken_at=now()))


def add_look(connection: Connection, study_uid: str | None, look: Look) -> int:
    """Record a look and return how many there are at that study; one of no study known here stands alone."""
    own = connection.execute(select(studies.c.id).where(studies.c.uid == study_uid)).scalar()
    row = {
        "study_id": own,
        "checkpoint": look.checkpoint,
        "dataset": look.dataset,
        "split": look.split,
        "n": look.n,
        "looked_at": look.looked,
        "metrics": dict(look.metrics),
    }
    connection.execute(insert(looks).values(row))
    if own is None:
        return 1
    return connection.execute(select(func.count()).select_from(looks).where(looks.c.study_id == own)).scalar_one()


def read_looks(connection: Connection, study_id: int) -> list[Look]:
    """The looks at a study's checkpoints, oldest first."""
    return _looks(connection, looks.c.study_id == study_id).get(study_id, [])


def looks_by_study(connection: Connection) -> dict[int, list[Look]]:
    """The looks at every study's checkpoints by study id, oldest first."""
    return _looks(connection, looks.c.study_id.is_not(None))


def _looks(connection: Connection, which: ColumnElement[bool]) -> dict[int, list[Look]]:
    c = looks.c
    query = select(c.study_id, c.checkpoint, c.dataset, c.split, c.n, c.metrics, c.looked_at).where(which)
    found: dict[int, list[Look]] = defaultdict(list)
    for study_id, *row in connection.execute(query.order_by(c.id)):
        found[study_id].append(Look(*row))
    return found


def environment(connection: Connection, dialect: str, study_id: int, facts: Mapping[str, Any]) -> int:
    """The id of the environment with these facts (package versions, device), added when it is new."""
    text = json.dumps(dict(facts), sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    row = {"study_id": study_id, "digest": digest, "facts": dict(facts), "first_seen_at": now()}
    connection.execute(upsert(dialect, environments).values(row).on_conflict_do_nothing())
    same = (environments.c.study_id == study_id, environments.c.digest == digest)
    return int(connection.execute(select(environments.c.id).where(*same)).scalar_one())


def read_environments(connection: Connection, study_id: int) -> list[dict[str, Any]]:
    """The facts of every environment that a study's attempts ran in, oldest first."""
    query = select(environments.c.facts).where(environments.c.study_id == study_id)
    return list(connection.execute(query.order_by(environments.c.id)).scalars())
