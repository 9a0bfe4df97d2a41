"""Studies: their rows and their summaries."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, true, update
from sqlalchemy.exc import IntegrityError

from fersearch.errors import NameTaken, StudyBusy, UnknownName, suggestion
from fersearch.plugins import PluginFile
from fersearch.store.control import PAUSE, RUN, STOP, add_request, requested
from fersearch.store.cost_spreads import cost_spreads
from fersearch.store.database import Database
from fersearch.store.lease import driven_studies, refuse_if_held
from fersearch.store.logbook import looks_by_study
from fersearch.store.prior import WarmStart, add_warm_start
from fersearch.store.records import StudyRow, StudySummary
from fersearch.store.tables import STUDY_TABLES, checkpoints, identity, now, plugin_files, revised, studies, trials
from fersearch.study import Budget, Keep, Objective, StudySpec, StudyState
from fersearch.trial import TrialState


class StudyQueries:
    """Queries on studies; each method is one short transaction."""

    database: Database

    def create_study(
        self,
        spec: StudySpec,
        plugins: Sequence[PluginFile] = (),
        data: Mapping[str, Any] | None = None,
        like: int | None = None,
    ) -> StudyRow:
        """Add a study with the plugin files that it uses; NameTaken if another has its name.

        `data` is the identity of its data, where that is known; its owner is that of the study of id `like`.
        """
        with self.database.write() as connection:
            owner = connection.execute(select(studies.c.owner).where(studies.c.id == like)).scalar() or ""
            _create(connection, spec, plugins, data, owner)
            return _find(connection, spec.name)

    def create_studies(self, new: Iterable[tuple[StudySpec, Sequence[PluginFile], WarmStart]], owner: str = "") -> None:
        """Add several studies of an owner, each with its warm start, or none if a name is taken (NameTaken)."""
        with self.database.write() as connection:
            for spec, plugins, start in new:
                add_warm_start(connection, _create(connection, spec, plugins, owner=owner), start)

    def study(self, name: str) -> StudyRow:
        """Return the study of that name; UnknownName, with the nearest name, if there is none."""
        with self.database.read() as connection:
            return _find(connection, name)

    def study_names(self) -> list[str]:
        """Return the names of all studies, sorted."""
        with self.database.read() as connection:
            return _names(connection)

    def studies(self) -> list[StudySummary]:
        """Return all studies, oldest first, by a constant number of queries."""
        return self._summaries(true())

    def summary(self, study_id: int) -> StudySummary:
        """Return the summary of one study."""
        (summary,) = self._summaries(studies.c.id == study_id)
        return summary

    def _summaries(self, which: ColumnElement[bool]) -> list[StudySummary]:
        with self.database.read() as connection:
            counts = _counts(connection)
            left_out = untrained(connection)
            rows = connection.execute(select(studies).where(which).order_by(studies.c.id)).all()
            looks, running, requests = looks_by_study(connection), driven_studies(connection), requested(connection)
        return [
            StudySummary(
                name=row.name,
                objectives=_objectives(row.objectives),
                counts=counts[row.id],
                created=row.created_at,
                model=row.model,
                dataset=row.dataset,
                looks=tuple(looks.get(row.id, ())),
                storage=self.database.url,
                state=_state(row, counts[row.id], left_out[row.id], running, requests.get(row.id, ())),
                owner=row.owner,
                architectures=tuple(row.model.split(",")) if row.spec.get("one_study") else (row.model,),
            )
            for row in rows
        ]

    def delete_study(self, name: str) -> list[str]:
        """Remove a study with all its rows; return the digests of checkpoints that no other study keeps, sorted.

        Raises:
            UnknownName: there is no such study.
            StudyBusy: a living process drives it.
        """
        with self.database.write() as connection:
            study = _find(connection, name)
            refuse_if_held(connection, study.id, name)
            others = select(checkpoints.c.digest).where(checkpoints.c.study_id != study.id)
            own = select(checkpoints.c.digest).where(checkpoints.c.study_id == study.id)
            digests = connection.execute(own.where(checkpoints.c.digest.not_in(others)).distinct()).scalars().all()
            for table in STUDY_TABLES:
                connection.execute(delete(table).where(table.c.study_id == study.id))
            connection.execute(delete(studies).where(studies.c.id == study.id))
        return sorted(digests)

    def set_baseline(self, study_id: int, values: Mapping[str, float]) -> None:
        """Store the metrics of the majority-class guess."""
        self._update(study_id, baseline=dict(values))

    def set_finished(self, study_id: int, ending: str = "") -> None:
        """Record that nothing is left to try, with the reason if the budget is not used up; the next run clears it."""
        self._update(study_id, finished=True, ending=f"{now():%Y-%m-%d %H:%M} UTC: {ending}" if ending else "")

    def set_data(
        self, study_id: int, data: Mapping[str, Any], renamed: Mapping[str, str], baseline: Mapping[str, float]
    ) -> None:
        """Store the identity of a study's data and the majority-class metrics on it, in one transaction.

        `renamed` maps data digests of its trials to new ones.
        """
        own = update(studies).where(studies.c.id == study_id)
        with self.database.write() as connection:
            connection.execute(own.values(data=dict(data), baseline=dict(baseline)))
            connection.execute(revised(study_id))
            for before, after in renamed.items():
                carried = update(trials).where(trials.c.study_id == study_id, trials.c.data_digest == before)
                connection.execute(carried.values(data_digest=after))

    def update_budget(self, study_id: int, budget: Budget) -> None:
        """Update the study's budget."""
        self._change_spec(study_id, lambda spec: replace(spec, budget=budget))

    def update_keep(self, study_id: int, keep: Keep) -> None:
        """Update the study's keep policy; the next run or `checkpoint gc` applies it."""
        self._change_spec(study_id, lambda spec: replace(spec, keep=keep))

    def add_unseen(self, study_id: int, datasets: Sequence[str]) -> None:
        """Add datasets, as given, to those that the study's best model is evaluated on, unless it lists them."""
        self._change_spec(study_id, lambda spec: replace(spec, unseen=(*dict.fromkeys((*spec.unseen, *datasets)),)))

    def extend_study(self, before: StudyRow, spec: StudySpec) -> None:
        """Replace the spec of a study.

        Raises:
            StudyBusy: a living process drives it, or its spec is no longer that of `before`.
        """
        own = studies.c.id == before.id
        row = {
            "spec": spec.to_json(),
            "objectives": ", ".join(map(str, spec.objectives)),
            "finished": False,
            "ending": "",
        }
        with self.database.write() as connection:
            refuse_if_held(connection, before.id, before.name)
            if _find(connection, before.name).spec != before.spec:
                raise StudyBusy(f"study '{before.name}' was changed by another command meanwhile", "try it again")
            connection.execute(update(studies).where(own).values(row))
            connection.execute(revised(before.id))

    def seconds_run(self, study_id: int) -> float:
        """Return the running time that the study has used."""
        query = select(studies.c.seconds_run).where(studies.c.id == study_id)
        with self.database.read() as connection:
            return float(connection.execute(query).scalar_one())

    def objectives(self, study_id: int) -> list[str]:
        """Return the metrics that a study optimises."""
        query = select(studies.c.objectives).where(studies.c.id == study_id)
        with self.database.read() as connection:
            return [objective.metric for objective in _objectives(connection.execute(query).scalar_one())]

    def is_driven(self, name: str) -> bool:
        """Return whether a living process drives the study; UnknownName if there is no such study."""
        with self.database.write() as connection:
            return _is_driven(connection, _find(connection, name))

    def request_stop(self, name: str) -> bool:
        """Request the living driver to stop; without one, store nothing and return False.

        Raises:
            UnknownName: there is no such study.
        """
        with self.database.write() as connection:
            study = _find(connection, name)
            running = _is_driven(connection, study)
            if running:
                add_request(connection, study.id, STOP, {})
        return running

    def known_studies(self, uids: Collection[str]) -> list[str]:
        """Return those of the given random ids that studies of this database have, oldest study first."""
        return self._uids(studies.c.uid.in_(uids))

    def studies_keeping(self, digests: Collection[str]) -> list[str]:
        """Return the random ids of the studies with a trial that keeps a checkpoint of these digests, oldest first."""
        own = select(checkpoints.c.study_id).where(checkpoints.c.digest.in_(digests))
        return self._uids(studies.c.id.in_(own))

    def _uids(self, which: ColumnElement[bool]) -> list[str]:
        with self.database.read() as connection:
            return list(connection.execute(select(studies.c.uid).where(which).order_by(studies.c.id)).scalars())

    def _update(self, study_id: int, **values: Any) -> None:
        with self.database.write() as connection:
            connection.execute(update(studies).where(studies.c.id == study_id).values(**values))
            connection.execute(revised(study_id))

    def _change_spec(self, study_id: int, change: Callable[[StudySpec], StudySpec]) -> None:
        own = studies.c.id == study_id
        with self.database.write() as connection:
            data = connection.execute(select(studies.c.spec).where(own).with_for_update()).scalar_one()
            spec = change(StudySpec.from_json(data))
            connection.execute(update(studies).where(own).values(spec=spec.to_json()))
            connection.execute(revised(study_id))


def _is_driven(connection: Connection, study: StudyRow) -> bool:
    try:
        refuse_if_held(connection, study.id, study.name)
    except StudyBusy:
        return True
    return False


def _counts(connection: Connection) -> Mapping[int, Mapping[str, int]]:
    """Return the number of trials of each study by state."""
    count = select(trials.c.study_id, trials.c.state, func.count()).group_by(trials.c.study_id, trials.c.state)
    counts: dict[int, dict[str, int]] = defaultdict(dict)
    for study_id, state, number in connection.execute(count):
        counts[study_id][state] = number
    return counts


def untrained(connection: Connection) -> Mapping[int, int]:
    """Return the number of trials of each study that broke a bound before training, which budgets do not count."""
    is_untrained = (trials.c.state == TrialState.INFEASIBLE.value) & (trials.c.epochs == 0)
    query = select(trials.c.study_id, func.count()).where(is_untrained).group_by(trials.c.study_id)
    return Counter({row[0]: row[1] for row in connection.execute(query)})


def _create(
    connection: Connection,
    spec: StudySpec,
    plugins: Sequence[PluginFile],
    data: Mapping[str, Any] | None = None,
    owner: str = "",
) -> int:
    """Add a study and the plugin files it uses, and return its id; NameTaken if another has its name.

    `data` is the identity of its data, where that is known.
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
        "owner": owner,
        "cost_spreads": cost_spreads(connection),
    }
    try:
        study_id = connection.execute(insert(studies).values(row).returning(studies.c.id)).scalar_one()
    except IntegrityError:
        raise NameTaken(
            f"study '{spec.name}' already exists",
            f"continue it: fersearch study run {spec.name}; or choose another name with --name",
        ) from None
    files = [{"study_id": study_id, "path": f.path, "digest": f.digest, "source": f.source} for f in plugins]
    if files:
        connection.execute(insert(plugin_files), files)
    return int(study_id)


def _find(connection: Connection, name: str) -> StudyRow:
    """Return the study of that name; UnknownName, with the nearest name, if there is none."""
    row = connection.execute(select(studies).where(studies.c.name == name)).one_or_none()
    if row is None:
        raise unknown_study(connection, name)
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
        ending=row.ending,
        cost_spreads=row.cost_spreads,
        database=connection.execute(select(identity.c.id)).scalar_one(),
    )


def unknown_study(connection: Connection, name: str) -> UnknownName:
    """Return the error for a name that no study has, with the nearest name."""
    known = suggestion(name, _names(connection)).replace("known:", "known studies:")
    return UnknownName(f"unknown study '{name}'", known)


def _names(connection: Connection) -> list[str]:
    """Return the names of all studies, sorted."""
    # Sorted here, as the order in SQL depends on the locale of the database.
    return sorted(connection.execute(select(studies.c.name)).scalars())


def _state(
    row: Row[Any], counts: Mapping[str, int], untrained: int, running: Container[int], requests: Container[str]
) -> StudyState:
    if row.id in running:
        return StudyState.RUNNING
    if PAUSE in requests:
        return StudyState.PAUSED
    spec = StudySpec.from_json(row.spec)
    ended = sum(number for state, number in counts.items() if TrialState(state).ended) - spec.uncounted(untrained)
    if row.finished or spec.budget.used_up(ended, row.seconds_run):
        return StudyState.COMPLETE  # also one that a service has yet to take from its queue
    if RUN in requests:
        return StudyState.QUEUED
    return StudyState.STOPPED if STOP in requests else StudyState.IDLE


def _objectives(text: str) -> tuple[Objective, ...]:
    pairs = (item.split(":") for item in text.split(", ") if item)
    return tuple(Objective(metric, "max" if direction == "max" else "min") for metric, direction in pairs)
