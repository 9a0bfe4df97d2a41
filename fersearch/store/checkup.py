"""A look at a database that changes nothing: it is neither made nor brought up to date."""

import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from fersearch.errors import NoDatabase
from fersearch.store.engine import Database, sqlite_path
from fersearch.store.mounts import file_system, is_network
from fersearch.store.schema import SCHEMA, version_of
from fersearch.store.tables import Moment, checkpoints, now, studies, trials
from fersearch.store.tables import identity as identities
from fersearch.trial import TrialState


@dataclass(frozen=True)
class Checkup:
    """What is seen of a database.

    `path` is the file of SQLite, None of a server; `schema` is None while there are no tables, and
    `newest` the one this version would bring it to. `kept` names a study and a trial for each
    digest of a checkpoint, `unfinished` the trials that may still run for each study's random id. `identity` is the
    random id of the database, empty in an older schema. `ahead` is how many seconds a server's clock is ahead of this
    machine's.
    """

    url: str
    path: Path | None
    schema: int | None = None
    newest: int = SCHEMA
    network: str = ""
    seconds: float = 0.0
    ahead: float | None = None
    kept: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    identity: str = ""
    unfinished: Mapping[str, frozenset[int]] = field(default_factory=dict)


def check_up(url: str) -> Checkup:
    """Look at the database at a URL.

    Raises:
        StoreError: the URL is none, the database cannot be reached, or it is of a newer fersearch.
    """
    path = sqlite_path(url)
    kind = file_system(_existing(path.parent)) if path else ""
    network = kind if is_network(kind) else ""
    try:
        opened = Database(url, create=False)
    except NoDatabase:
        return Checkup(f"sqlite:///{path}", path, network=network)
    with closing(opened) as database:
        started = time.monotonic()
        found = version_of(database)
        seconds = time.monotonic() - started
        with database.read() as connection:
            ahead = None if path else _ahead(connection)
            known = _known(connection) if found == SCHEMA else {}
        return Checkup(database.url, path, found, network=network, seconds=seconds, ahead=ahead, **known)


def _ahead(connection: Connection) -> float:
    before = now()
    theirs = connection.execute(select(func.clock_timestamp(type_=Moment))).scalar_one()
    return float((theirs - before - (now() - before) / 2).total_seconds())


def _known(connection: Connection) -> dict[str, Any]:
    identity = connection.execute(select(identities.c.id)).scalar_one()
    return {"identity": identity, "kept": _kept(connection), "unfinished": _unfinished(connection)}


def _unfinished(connection: Connection) -> dict[str, frozenset[int]]:
    running = trials.c.state.in_([state.value for state in TrialState if not state.ended])
    own = (trials.c.study_id == studies.c.id) & running
    found: dict[str, set[int]] = defaultdict(set)
    for uid, number in connection.execute(select(studies.c.uid, trials.c.number).outerjoin(trials, own)):
        found[uid] |= set() if number is None else {number}
    return {uid: frozenset(numbers) for uid, numbers in found.items()}


def _kept(connection: Connection) -> dict[str, tuple[str, int]]:
    query = select(checkpoints.c.digest, studies.c.name, checkpoints.c.trial)
    rows = connection.execute(query.join(studies, studies.c.id == checkpoints.c.study_id))
    return {digest: (name, trial) for digest, name, trial in rows}


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
