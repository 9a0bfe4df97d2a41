"""The folder of a report: its content, how it is recognised, and how it is packed into an archive."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fersearch.files import atomic_folder, refuse_existing_folder

MARK = ".fersearch-report"
PAGE, PLOTS, TABLES = "index.html", "plots", "tables"


@dataclass(frozen=True)
class Written:
    """The location of a report: its folder, its page, and the names of its plots and tables."""

    path: Path
    page: Path
    plots: tuple[str, ...]
    tables: tuple[str, ...]


def check_folder(folder: Path, force: bool) -> None:
    """Refuse an existing folder, before anything is computed.

    Raises:
        UsageError: the folder exists and `force` is not given, or it is not a report: only reports are replaced.
    """
    refuse_existing_folder(folder, force, "report", lambda it: (it / MARK).is_file())


def pack(written: Written, file: Path) -> None:
    """Write the folder of a report into a zip file, its page first, then its plots and tables in their order."""
    parts = [written.page]
    for folder, names in ((PLOTS, written.plots), (TABLES, written.tables)):
        parts += [path for name in names for path in sorted((written.path / folder).glob(f"{name}.*"))]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in parts:
            archive.write(path, path.relative_to(written.path))


def unpack(file: IO[bytes], folder: Path, force: bool) -> Written:
    """Unpack the folder of a report from a zip file of `pack`, completely or not at all.

    Raises:
        UsageError: the folder exists; see `check_folder`.
        zipfile.BadZipFile: it is not a zip file.
    """
    check_folder(folder, force)
    with zipfile.ZipFile(file) as archive, atomic_folder(folder) as work:
        for name in (PLOTS, TABLES):
            (work / name).mkdir()
        archive.extractall(work)
        (work / MARK).touch()
        names = archive.namelist()
    return Written(folder, folder / PAGE, _names(names, PLOTS), _names(names, TABLES))


def _names(files: list[str], folder: str) -> tuple[str, ...]:
    inside = [Path(name) for name in files if name.startswith(f"{folder}/")]
    return tuple(dict.fromkeys(path.stem for path in inside))
