"""Writes a report into a folder: the page, its plots as SVG and PNG, its tables as CSV, Markdown and LaTeX."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fersearch.errors import UsageError
from fersearch.files import atomic_folder
from fersearch.formatting import printable
from fersearch.report import page as pages
from fersearch.report.parts import Page
from fersearch.report.plots import style
from fersearch.report.tables import Table, to_csv, to_latex, to_markdown

MARK = ".fersearch-report"
FORMATS: dict[str, Callable[[Table], str]] = {"csv": to_csv, "md": to_markdown, "tex": to_latex}


@dataclass(frozen=True)
class Written:
    """Where a report lies: its folder, its page, and the names of its plots and tables."""

    path: Path
    page: Path
    plots: tuple[str, ...]
    tables: tuple[str, ...]


def check_folder(folder: Path, force: bool) -> None:
    """Refuse a place that is taken, before anything is computed for it.

    Raises:
        UsageError: the folder exists and `force` is not given, or it is no report: nothing else is ever replaced.
    """
    if not folder.exists() or _is_empty(folder):
        return
    if not force:
        raise UsageError(f"{folder} exists", "give another folder with -o, or --force to replace the report in it")
    if not (folder / MARK).is_file():
        raise UsageError(f"{folder} is no report", "--force replaces only those; give another folder with -o")


def write(page: Callable[[], Page], folder: Path, force: bool = False) -> Written:
    """Write a page and its files, whole or not at all; `page` is called inside the plots' style.

    Raises:
        UsageError: the folder is taken; see `check_folder`.
        OSError: the disk is full or the place cannot be written.
    """
    check_folder(folder, force)
    with atomic_folder(folder) as work, style.styled():
        made = page()
        _fill(made, work)
    names = tuple(plot.name for plot in made.plots())
    return Written(folder, folder / "index.html", names, tuple(table.name for table in made.tables()))


def _fill(page: Page, work: Path) -> None:
    for name in ("plots", "tables"):
        (work / name).mkdir()
    drawings = {}
    for plot in page.plots():
        svg, png = style.render(plot.figure)
        (work / "plots" / f"{plot.name}.svg").write_text(svg, encoding="utf-8")
        (work / "plots" / f"{plot.name}.png").write_bytes(png)
        drawings[plot.name] = svg
    for table in page.tables():
        for end, written in FORMATS.items():
            (work / "tables" / f"{table.name}.{end}").write_text(printable(written(table)), encoding="utf-8")
    (work / "index.html").write_text(printable(pages.html(page, drawings)), encoding="utf-8")
    (work / MARK).touch()


def _is_empty(folder: Path) -> bool:
    return folder.is_dir() and not any(folder.iterdir())
