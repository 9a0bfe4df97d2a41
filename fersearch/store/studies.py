"""Studies: their rows, their summaries, and the small tables beside them (requests, looks, environments)."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from fersearch.errors import NameTaken, UnknownName, suggestion
from fersearch.plugins import PluginFile
from fersearch.store.control import stopped
from fersearch.store.database import upsert
from fersearch.store.lease import driven
from fersearch.store.records import Look, StudyRow, StudySummary
from fersearch.store.tables import (
    OF_A_STUDY,
    checkpoints,
    environments,
    identity,
    looks,
    now,
    plugin_files,
    studies,
    trials,
)
from fersearch.study import Objective, StudySpec, StudyState
from fersearch.trial import TrialState


def create(
    connection: Connection, spec: StudySpec, plugins: Sequence[PluginFile], data: Mapping[str, Any] | None = None
) -> None:
    """Add a study and the plugin files it uses; UsageError when its name is taken.

    `data` is what is known already of the data that it is about.
    """
    row = {
        "name": spec.name,
        "model": spec.architecture,
        "dataset": spec.dataset,
        "objectives": ", ".join(map(str, spec.objectives)),
        "created_at": now(),
        "seconds_run": 0.0,
        "baseline": {},
        "spec": spec.to_json(),
        "uid": uuid4().hex,
        "data": dict(data or {}),
    }
    try:
        study_id = connection.execute(insert(studies).values(row).returning(studies.c.id)).scalar_one()
    except IntegrityError:
        raise NameTaken(
            f"there is a study '{spec.name}' already",
            f"go on with it: fersearch study run {spec.name}; or choose another name with --name",
        ) from None
    files = [{"study_id": study_id, "path": f.path, "digest": f.digest, "source": f.source} for f in plugins]
    if files:
        connection.execute(insert(plugin_files), files)


def find(connection: Connection, name: str) -> StudyRow:
    """The study of that name; UnknownName with the nearest one otherwise."""
    row = connection.execute(select(studies).where(studies.c.name == name)).one_or_none()
    if row is None:
        known = suggestion(name, names(connection)).replace("known:", "known studies:")
        raise UnknownName(f"unknown study '{name}'", known)
    columns = (plugin_files.c.path, plugin_files.c.digest, plugin_files.c.source)
    files = connection.execute(select(*columns).where(plugin_files.c.study_id == row.id))
    return StudyRow(
        id=row.id,
        name=row.name,
        spec=StudySpec.from_json(row.spec),
        created=row.created_at,
        plugins=tuple(PluginFile(*file) for file in sorted(files, key=lambda file: str(file.path))),
        baseline=row.baseline,
        seconds=row.seconds_run,
        uid=row.uid,
        data=row.data,
        database=connection.execute(select(identity.c.id)).scalar_one(),
    )


def names(connection: Connection) -> list[str]:
    """The names of all studies, sorted."""
    # Sorted here: what comes first in SQL depends on the language that the database was made for.
    return sorted(connection.execute(select(studies.c.name)).scalars())


def known(connection: Connection, uids: Collection[str]) -> list[str]:
    """Those of the random ids that studies have, oldest study first."""
    return _uids(connection, studies.c.uid.in_(uids))


def keeping(connection: Connection, digests: Collection[str]) -> list[str]:
    """The random ids of the studies with a trial that keeps a checkpoint of these digests, oldest study first."""
    own = select(checkpoints.c.study_id).where(checkpoints.c.digest.in_(digests))
    return _uids(connection, studies.c.id.in_(own))


def summaries(connection: Connection) -> list[StudySummary]:
    """Return all studies, oldest first, in a handful of queries however many there are."""
    count = select(trials.c.study_id, trials.c.state, func.count()).group_by(trials.c.study_id, trials.c.state)
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for study_id, state, number in connection.execute(count):
        counts[study_id][state] = number
    rows = connection.execute(select(studies).order_by(studies.c.id)).all()
    seen, running, asked_to_stop = looks_by_study(connection), driven(connection), stopped(connection)
    return [
        StudySummary(
            name=row.name,
            objectives=_objectives(row.objectives),
            counts=counts[row.id],
            created=row.created_at,
            model=row.model,
            dataset=row.dataset,
            looks=tuple(seen.get(row.id, ())),
            state=_state(row, counts[row.id], running, asked_to_stop),
        )
        for row in rows
    ]


def _state(row: Row[Any], counts: Mapping[str, int], running: Container[int], stopped: Container[int]) -> StudyState:
    if row.id in running:
        return StudyState.RUNNING
    budget = StudySpec.from_json(row.spec).budget
    ended = sum(number for state, number in counts.items() if TrialState(state).ended)
    if row.finished or budget.used_up(ended, row.seconds_run):
        return StudyState.COMPLETE
    return StudyState.STOPPED if row.id in stopped else StudyState.IDLE


def set_finished(connection: Connection, study_id: int) -> None:
    """Keep that nothing is left to try."""
    connection.execute(_update(study_id).values(finished=True))


def remove(connection: Connection, study_id: int) -> list[str]:
    """Remove every row of a study; return the digests of checkpoints that no other study keeps, sorted."""
    others = select(checkpoints.c.digest).where(checkpoints.c.study_id != study_id)
    own = select(checkpoints.c.digest).where(checkpoints.c.study_id == study_id)
    digests = connection.execute(own.where(checkpoints.c.digest.not_in(others)).distinct()).scalars().all()
    for table in OF_A_STUDY:
        connection.execute(delete(table).where(table.c.study_id == study_id))
    connection.execute(delete(studies).where(studies.c.id == study_id))
    return sorted(digests)


def set_baseline(connection: Connection, study_id: int, values: Mapping[str, float]) -> None:
    """Keep the metrics of the majority-class guess."""
    connection.execute(_update(study_id).values(baseline=dict(values)))


def set_data(
    connection: Connection,
    study_id: int,
    data: Mapping[str, Any],
    renamed: Mapping[str, str],
    baseline: Mapping[str, float],
) -> None:
    """Keep which data a study is about, with the majority-class guess on it.

    Trials that carry a digest of `renamed` carry from now on what it maps to.
    """
    connection.execute(_update(study_id).values(data=dict(data), baseline=dict(baseline)))
    for before, after in renamed.items():
        carried = update(trials).where(trials.c.study_id == study_id, trials.c.data_digest == before)
        connection.execute(carried.values(data_digest=after))


def change_spec(connection: Connection, study_id: int, **changes: Any) -> None:
    """Change fields of what the study was asked to do."""
    data = connection.execute(select(studies.c.spec).where(studies.c.id == study_id).with_for_update()).scalar_one()
    spec = replace(StudySpec.from_json(data), **changes)
    connection.execute(_update(study_id).values(spec=spec.to_json()))


def seconds_run(connection: Connection, study_id: int) -> float:
    """The running time that the study has used."""
    return float(connection.execute(select(studies.c.seconds_run).where(studies.c.id == study_id)).scalar_one())


def _uids(connection: Connection, which: ColumnElement[bool]) -> list[str]:
    return list(connection.execute(select(studies.c.uid).where(which).order_by(studies.c.id)).scalars())


def _update(study_id: int) -> Any:
    return update(studies).where(studies.c.id == study_id)


def _objectives(text: str) -> tuple[Objective, ...]:
    pairs = (item.split(":") for item in text.split(", ") if item)
    return tuple(Objective(metric, "max" if direction == "max" else "min") for metric, direction in pairs)


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
