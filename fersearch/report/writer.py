"""Write a report into a folder: one HTML page with everything inside, plots as SVG and PNG, tables for a paper."""

import base64
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.escaping import printable
from fersearch.files import atomic_folder
from fersearch.report.folder import MARK, PAGE, PLOTS, TABLES, Written, check_folder
from fersearch.report.parts import Page
from fersearch.report.plots import style
from fersearch.report.plots.style import GRID, INK, PAPER
from fersearch.report.tables import Table, is_number, text, to_csv, to_latex, to_markdown

if TYPE_CHECKING:
    import numpy as np


FORMATS: dict[str, Callable[[Table], str]] = {"csv": to_csv, "md": to_markdown, "tex": to_latex}
TEMPLATES = Path(__file__).parent / "templates"


def write(page: Callable[[], Page], folder: Path, force: bool = False) -> Written:
    """Write a page and its files, completely or not at all; `page` is called inside the plots' style.

    Raises:
        UsageError: the folder exists; see `check_folder`.
        OSError: the disk is full or the folder cannot be written.
    """
    check_folder(folder, force)
    with atomic_folder(folder) as work, style.styled():
        content = page()
        _fill(content, work)
    names = tuple(plot.name for plot in content.plots())
    return Written(folder, folder / PAGE, names, tuple(table.name for table in content.tables()))


def _fill(page: Page, work: Path) -> None:
    for name in (PLOTS, TABLES):
        (work / name).mkdir()
    drawings = {}
    for plot in page.plots():
        svg, png = style.render(plot.figure)
        (work / PLOTS / f"{plot.name}.svg").write_text(svg, encoding="utf-8")
        (work / PLOTS / f"{plot.name}.png").write_bytes(png)
        drawings[plot.name] = svg
    for table in page.tables():
        for end, written in FORMATS.items():
            (work / TABLES / f"{table.name}.{end}").write_text(printable(written(table)), encoding="utf-8")
    (work / PAGE).write_text(printable(html(page, drawings)), encoding="utf-8")
    (work / MARK).touch()


def html(page: Page, drawings: Mapping[str, str]) -> str:
    """Return the page as HTML; `drawings` holds the SVG of each plot by its name."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    surroundings = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    surroundings.filters |= {"cell": text, "png": data_url}
    surroundings.tests["number"] = is_number
    inner = {name: Markup(inline(name, svg)) for name, svg in drawings.items()}
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))
    return surroundings.get_template("page.html").render(page=page, drawings=inner, style=style)


def inline(name: str, svg: str) -> str:
    """Return an SVG file as an element of a page: ids of its own, ink and grid in the page's colours, no outside
    names."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", body)
    body = re.sub(r'(\bid="|url\(#|href="#)', lambda match: f"{match[0]}{name}-", body)
    body = re.sub(r'<svg[^>]*?viewBox="0 0 ([\d.]+) ([\d.]+)"[^>]*>', _opened, body, count=1)
    return body.replace(INK, "currentColor").replace(GRID, "var(--grid)").replace(PAPER, "var(--paper)")


def data_url(image: "np.ndarray[Any, Any]") -> str:
    """Return an image (uint8, channels x height x width; 1 or 3 channels) as a PNG inside a data URL."""
    from PIL import Image

    pixels = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


def _opened(match: re.Match[str]) -> str:
    """Return the opening tag: as wide as drawn (4/3 pixels a point), or as the page allows."""
    width, height = float(match[1]), float(match[2])
    return f'<svg viewBox="0 0 {width:g} {height:g}" style="width: {width * 4 / 3:.0f}px" aria-hidden="true">'
