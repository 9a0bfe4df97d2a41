"""The door to the database: everything that is read and written, and by whom it may be."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select

from fersearch.errors import StudyBusy
from fersearch.plugins import PluginFile
from fersearch.store import schema, studies, trials
from fersearch.store import studies as logbook
from fersearch.store.control import STOP, Control, add_request
from fersearch.store.database import Database
from fersearch.store.lease import Lease, refuse_if_held
from fersearch.store.records import Checkpoint, Look, StudyRow, StudySummary
from fersearch.store.tables import identity, now
from fersearch.store.writer import Writer
from fersearch.study import Budget, Keep, StudySpec
from fersearch.trial import Epoch, Trial


class Store:
    """An open database. Each method is one short transaction; any of them raises StoreError when it cannot be done.

    Trials, attempts and epochs are written by the `Writer` of the process that holds the study's `Lease`.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str, *, create: bool = True) -> Self:
        """Open the database at a SQLAlchemy URL, brought up to date if need be, and made if `create` says so.

        Raises:
            NoDatabase: there is none, and none may be made.
            StoreError: it cannot be reached, is no database, or is of a newer fersearch.
        """
        database = Database(url, create=create)
        try:
            schema.prepare(database, create=create)
            store = cls(database)
            if database.file:
                database.file.know(database.file.at(), store.identity)
        except BaseException:
            database.close()
            raise
        return store

    @property
    def url(self) -> str:
        """Where the database is, without a password."""
        return self.database.url

    @cached_property
    def identity(self) -> str:
        """The random id of this database, which a copy of it has too."""
        with self.database.read() as connection:
            return str(connection.execute(select(identity.c.id)).scalar_one())

    @property
    def notice(self) -> str:
        """Something a person should be told once; empty if there is nothing."""
        return self.database.notice

    def mended(self) -> list[str]:
        """What went wrong with the database's files and was mended since the last call, as a person should be told."""
        return self.database.file.mended() if self.database.file else []

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def create_study(
        self, spec: StudySpec, plugins: Sequence[PluginFile] = (), data: Mapping[str, Any] | None = None
    ) -> StudyRow:
        """Add a study, with the plugin files that it uses; UsageError when its name is taken.

        `data` is what is known already of the data that it is about.
        """
        with self.database.write() as connection:
            studies.create(connection, spec, plugins, data)
            return studies.find(connection, spec.name)

    def create_studies(self, wanted: Iterable[tuple[StudySpec, Sequence[PluginFile]]]) -> None:
        """Add several studies, or none: UsageError when a name is taken."""
        with self.database.write() as connection:
            for spec, plugins in wanted:
                studies.create(connection, spec, plugins)

    def study(self, name: str) -> StudyRow:
        """The study of that name; UnknownName otherwise, with the nearest one."""
        with self.database.read() as connection:
            return studies.find(connection, name)

    def study_names(self) -> list[str]:
        """The names of all studies, sorted."""
        with self.database.read() as connection:
            return studies.names(connection)

    def studies(self) -> list[StudySummary]:
        """All studies, oldest first."""
        with self.database.read() as connection:
            return [replace(summary, storage=self.url) for summary in studies.summaries(connection)]

    def delete_study(self, name: str) -> list[str]:
        """Remove a study with all its rows; return the digests of checkpoints that no other study keeps.

        Raises:
            UnknownName: there is no such study.
            StudyBusy: a living process drives it.
        """
        with self.database.write() as connection:
            study = studies.find(connection, name)
            refuse_if_held(connection, study.id, name)
            return studies.remove(connection, study.id)

    def set_baseline(self, study_id: int, values: Mapping[str, float]) -> None:
        """Keep the metrics of the majority-class guess."""
        with self.database.write() as connection:
            studies.set_baseline(connection, study_id, values)

    def set_data(
        self, study_id: int, data: Mapping[str, Any], renamed: Mapping[str, str], baseline: Mapping[str, float]
    ) -> None:
        """Keep which data a study is about and the metrics of the majority-class guess on it, at once.

        `renamed` maps digests that its trials carry to their new ones.
        """
        with self.database.write() as connection:
            studies.set_data(connection, study_id, data, renamed, baseline)

    def update_budget(self, study_id: int, budget: Budget) -> None:
        """Change when the study is over."""
        with self.database.write() as connection:
            studies.change_spec(connection, study_id, budget=budget)

    def update_keep(self, study_id: int, keep: Keep) -> None:
        """Change whose checkpoints the study keeps; the next run or `checkpoint gc` acts upon it."""
        with self.database.write() as connection:
            studies.change_spec(connection, study_id, keep=keep)

    def is_driven(self, name: str) -> bool:
        """Whether a living process drives the study; UnknownName when there is none of that name."""
        with self.database.write() as connection:
            try:
                refuse_if_held(connection, studies.find(connection, name).id, name)
            except StudyBusy:
                return True
        return False

    def writer(self, study_id: int, lease: Lease | None = None) -> Writer:
        """The writer of a study's trials, for the process that holds its lease; with it, no other process writes."""
        with self.database.read() as connection:
            seconds = studies.seconds_run(connection, study_id)
        return Writer(self.database, study_id, lease, seconds)

    def trials(
        self, study_id: int, names: Collection[str] | None = None, *, of: Collection[int] | None = None
    ) -> list[Trial]:
        """The trials by number, with their values and attempts.

        Only the values named, only those `of` these numbers, where given.
        """
        with self.database.read() as connection:
            return trials.read(connection, study_id, of, names)

    def trial(self, study_id: int, number: int) -> Trial:
        """One trial; UnknownName when the study has none of that number."""
        with self.database.read() as connection:
            return trials.read_one(connection, study_id, number)

    def set_value(self, study_id: int, number: int, name: str, value: float) -> None:
        """Keep a value that was measured after a trial ended, in place of an earlier one of that name."""
        with self.database.write() as connection:
            trials.set_value(connection, self.database.dialect, study_id, number, name, value)

    def history(self, study_id: int, number: int) -> list[Epoch]:
        """The epochs of one trial in order, with confusion matrices; where attempts overlap, the latest stands."""
        with self.database.read() as connection:
            return trials.history(connection, study_id, number)

    def epoch_values(
        self,
        study_id: int,
        names: Collection[str] | None = None,
        *,
        of: Iterable[int] | None = None,
        at: Collection[int] | None = None,
    ) -> dict[int, list[Epoch]]:
        """The epochs of every trial that has some, by its number, without confusion matrices.

        Only the metrics named, only `of` the trials of those numbers, only `at` the epochs of those, where given.
        """
        return dict(self.histories(study_id, names, of=of, at=at))

    def histories(
        self,
        study_id: int,
        names: Collection[str] | None = None,
        *,
        of: Iterable[int] | None = None,
        at: Collection[int] | None = None,
    ) -> Iterator[tuple[int, list[Epoch]]]:
        """Read what `epoch_values` gives trial by trial, in one transaction that lasts as long as the reader."""
        with self.database.read() as connection:
            yield from trials.histories(connection, study_id, of, names=names, at=at)

    def checkpoints(self, study_id: int) -> list[Checkpoint]:
        """The checkpoints of a study, by trial."""
        with self.database.read() as connection:
            return trials.kept_checkpoints(connection, study_id)

    def known_studies(self, uids: Collection[str]) -> list[str]:
        """Those of the random ids that studies here have, oldest study first."""
        with self.database.read() as connection:
            return studies.known(connection, uids)

    def studies_keeping(self, digests: Collection[str]) -> list[str]:
        """The random ids of the studies with a trial that keeps a checkpoint of these digests, oldest study first."""
        with self.database.read() as connection:
            return studies.keeping(connection, digests)

    def refers_to(self, digest: str) -> bool:
        """Whether a trial of any study keeps the checkpoint of that digest."""
        with self.database.read() as connection:
            return trials.refers(connection, digest)

    def request(self, study_id: int, kind: str, payload: Mapping[str, Any]) -> None:
        """Leave a request for the study's driver."""
        with self.database.write() as connection:
            add_request(connection, study_id, kind, payload)

    def request_stop(self, name: str) -> bool:
        """Ask the living driver of a study to stop; without one nothing is stored, and False is returned.

        Raises:
            UnknownName: there is no such study.
        """
        with self.database.write() as connection:
            study = studies.find(connection, name)
            try:
                refuse_if_held(connection, study.id, name)
            except StudyBusy:
                add_request(connection, study.id, STOP, {})
                return True
        return False

    def control(self, study_id: int) -> Control:
        """Return where the requests to a study arrive, for the process that holds its lease."""
        return Control(self.database, study_id)

    def set_finished(self, study_id: int) -> None:
        """Keep that nothing is left to try; the next run clears it."""
        with self.database.write() as connection:
            studies.set_finished(connection, study_id)

    def add_look(
        self, study_uid: str | None, checkpoint: str, dataset: str, split: str, n: int, metrics: Mapping[str, Any]
    ) -> int:
        """Record that a checkpoint (by digest) of a study (by its `uid`) was evaluated on `n` images of a split.

        Returns how many looks at the study there are now. One of no study known here is recorded alone, and is the
        first.
        """
        look = Look(checkpoint, dataset, split, n, metrics, now())
        with self.database.write() as connection:
            return logbook.add_look(connection, study_uid, look)

    def looks(self, study_id: int) -> list[Look]:
        """The looks at a study's checkpoints, oldest first."""
        with self.database.read() as connection:
            return logbook.read_looks(connection, study_id)

    def environment(self, study_id: int, facts: Mapping[str, Any]) -> int:
        """The id of the environment with these facts (package versions, device), added when it is new."""
        with self.database.write() as connection:
            return logbook.environment(connection, self.database.dialect, study_id, facts)

    def environments(self, study_id: int) -> list[dict[str, Any]]:
        """The facts of every environment that a study ran in, oldest first."""
        with self.database.read() as connection:
            return logbook.read_environments(connection, study_id)
