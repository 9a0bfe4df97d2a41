"""Verbs that write what a service computes: reports, comparisons, sweeps, exports of trials."""

import codecs
import io
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TextIO, TypeVar

from fersearch.api.records.comparisons import Comparison, ShownLine, Sweep
from fersearch.api.remote.connection import refuse_storage, study_path
from fersearch.api.remote.looking import LookingVerbs
from fersearch.errors import FersearchError
from fersearch.report.folder import Written, check_folder, unpack
from fersearch.report.shown import Grid, Line

if TYPE_CHECKING:
    import optuna

R = TypeVar("R", Comparison, Sweep)


@dataclass(frozen=True)
class Answered(Generic[R]):
    """The record of a comparison or a sweep, and the paths of its page (None: not written)."""

    result: R
    written: Written | None = None

    def shown(self) -> list[Grid | Line]:
        """Return the result as lines and grids."""
        return [
            Line(one.text, one.kind)
            if isinstance(one, ShownLine)
            else Grid(one.titles, one.rows, one.right, frozenset(one.marked))
            for one in self.result.shown or ()
        ]


class ReportVerbs(LookingVerbs):
    """The verbs of `fersearch.api` for reports and exports, with the same arguments as the local ones."""

    def write_report(
        self, name: str, out: Path, *, trials: int = 5, force: bool = False, storage: str | None = None
    ) -> Written:
        """Write the report of a study into a local folder."""
        refuse_storage(storage)
        check_folder(out, force)
        return self._archive(study_path(name, "/report.zip"), {"trials": trials}, out, force)

    def compare_studies(
        self,
        patterns: Sequence[str],
        *,
        metrics: Sequence[str] = (),
        by: str = "trial",
        trials: Mapping[str, int] | None = None,
        out: Path | None = None,
        force: bool = False,
        storage: str | None = None,
    ) -> Answered[Comparison]:
        """Compare studies; the page, plots and tables are written on this machine."""
        refuse_storage(storage)
        standing = [f"{name}={number}" for name, number in (trials or {}).items()]
        query = {"study": list(patterns), "metric": list(metrics), "by": by, "trial": standing}
        return self._compared("comparison", query, Comparison, out, force)

    def sweep_study(
        self,
        name: str,
        factor: str,
        *,
        metrics: Sequence[str] = (),
        out: Path | None = None,
        force: bool = False,
        storage: str | None = None,
    ) -> Answered[Sweep]:
        """Group the complete trials of one study by a parameter."""
        refuse_storage(storage)
        query = {"factor": factor, "metric": list(metrics)}
        return self._compared(study_path(name, "/sweep"), query, Sweep, out, force)

    def export_study(self, name: str, format: str = "csv", storage: str | None = None) -> str:
        """Return a study's trials as text."""
        out = io.StringIO()
        self.write_export(out, name, format, storage)
        return out.getvalue()

    def write_export(self, out: TextIO, name: str, format: str = "csv", storage: str | None = None) -> None:
        """Write the text of `export_study` to an open file."""
        refuse_storage(storage)
        decoder = codecs.getincrementaldecoder("utf-8")()
        for piece in self._service.pieces(study_path(name, "/export"), format=format):
            out.write(decoder.decode(piece))

    def export_to_optuna(self, name: str, url: str, *, force: bool = False, storage: str | None = None) -> int:
        """Write a study of the service into a local Optuna storage; return the number of its trials."""
        from fersearch.search.optuna_export import write_to_storage

        refuse_storage(storage)
        study = self.show_study(name)
        return write_to_storage(study.spec, self.list_trials(name), url, study.data_digest, force=force)

    def to_optuna(self, name: str, storage: str | None = None) -> "optuna.Study":
        """Return the study as an in-memory `optuna.Study`."""
        from fersearch.search.optuna_sampler import to_optuna

        refuse_storage(storage)
        study = self.show_study(name)
        return to_optuna(study.spec, self.list_trials(name), study.data_digest)

    def _compared(
        self, path: str, query: Mapping[str, Any], kind: type[R], out: Path | None, force: bool
    ) -> Answered[R]:
        if out is not None:
            check_folder(out, force)
        result = kind.model_validate(self._service.get(path, **query, shown=True))
        return Answered(result, None if out is None else self._archive(f"{path}.zip", query, out, force))

    def _archive(self, path: str, query: Mapping[str, Any], out: Path, force: bool) -> Written:
        """Download a folder as an archive and unpack it."""
        with tempfile.TemporaryFile() as file:
            for piece in self._service.pieces(path, **query):
                file.write(piece)
            file.seek(0)
            try:
                return unpack(file, out, force)
            except zipfile.BadZipFile:
                raise FersearchError(f"{self._service.url} sent no report", "is it a service of fersearch?") from None
