"""Tables: rows of plain values, written as CSV (all digits), Markdown, LaTeX or the cells of a page."""

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDE, LONG = 8, 45
"""Number of columns from which a LaTeX table is scaled to the line; number of rows from which it spans pages."""


@dataclass(frozen=True)
class Spread:
    """A mean with its deviation; NaN where that is unknown."""

    mean: float
    std: float


Cell = str | int | float | Spread | None


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns; `name` is the file's, `marked` holds (row, column) of cells to set in bold."""

    name: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    marked: frozenset[tuple[int, int]] = frozenset()


def number(value: float) -> str:
    """Return a value with about four significant digits; `-` where it is not finite."""
    if not math.isfinite(value):
        return "-"
    size = abs(value)
    if float(value).is_integer() and (isinstance(value, int) or size >= 1000):
        return f"{int(value):,}"
    places = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 10 else 3 if size >= 1 else 4
    return f"{value:,.{places}f}" if size >= 0.001 or value == 0 else f"{value:.2e}"


def text(cell: Cell) -> str:
    """Return a cell as text for a reader."""
    if isinstance(cell, Spread):
        return _spread(cell)
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return number(cell)
    return "-" if cell is None else cell


def is_number(cell: Cell) -> bool:
    """Return whether a cell belongs on the right side of its column."""
    return cell is None or (isinstance(cell, int | float | Spread) and not isinstance(cell, bool))


def to_csv(table: Table) -> str:
    """Return all digits, one header row; a column with deviations gets a second one named `... std`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    spreads = [any(isinstance(row[j], Spread) for row in table.rows) for j in range(len(table.columns))]
    writer.writerow(
        [
            name
            for title, double in zip(table.columns, spreads, strict=True)
            for name in ([title, f"{title} std"] if double else [title])
        ]
    )
    for row in table.rows:
        writer.writerow([value for cell, double in zip(row, spreads, strict=True) for value in _plain(cell, double)])
    return out.getvalue()


def to_markdown(table: Table) -> str:
    """Return a GitHub table under its caption."""
    right = _right(table)
    lines = [
        _bars(map(_markdown, table.columns)),
        _bars("---:" if side else "---" for side in right),
        *(
            _bars(
                f"**{_markdown(text(cell))}**" if (i, j) in table.marked else _markdown(text(cell))
                for j, cell in enumerate(row)
            )
            for i, row in enumerate(table.rows)
        ),
    ]
    return f"{_markdown(table.caption)}\n\n" + "\n".join(lines) + "\n"


def to_latex(table: Table) -> str:
    """Return a table in the style of booktabs; a wide one is scaled to the line, a long one spans pages."""
    sides = "".join("r" if side else "l" for side in _right(table))
    head = " & ".join(latex(name) for name in table.columns) + r" \\"
    rows = [
        " & ".join(_bold(latex(text(cell)), (i, j) in table.marked) for j, cell in enumerate(row)) + r" \\"
        for i, row in enumerate(table.rows)
    ]
    caption = rf"\caption{{{latex(table.caption)}}}\label{{tab:{table.name}}}"
    long = len(rows) >= LONG
    body = _long(caption, sides, head, rows) if long else _short(caption, sides, head, rows, len(table.columns) > WIDE)
    packages = ["booktabs", *(["longtable"] if long else ["graphicx"] if len(table.columns) > WIDE else [])]
    return "\n".join([f"% needs {', '.join(packages)}", *body]) + "\n"


def latex(text: str) -> str:
    """Return a text with everything escaped that LaTeX would read as a command."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


_LATEX = {letter: f"\\{letter}" for letter in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "×": r"$\times$",
    "\n": " ",
}


def _spread(cell: Spread) -> str:
    if not math.isfinite(cell.std) or not math.isfinite(cell.mean):
        return number(cell.mean)
    if cell.std == 0:
        return f"{number(cell.mean)} ± 0"
    places = min(4, max(0, 1 - math.floor(math.log10(cell.std))))
    if cell.std < 0.5 * 10**-places:
        return f"{number(cell.mean)} ± {cell.std:.1e}"
    return f"{cell.mean:,.{places}f} ± {cell.std:,.{places}f}"


def _plain(cell: Cell, double: bool) -> list[str | int | float]:
    values: list[str | int | float | None] = [cell.mean, cell.std] if isinstance(cell, Spread) else [cell, None]
    finite = ["" if value is None or value != value else value for value in values]
    return finite if double else finite[:1]


def _right(table: Table) -> list[bool]:
    return [bool(table.rows) and all(is_number(row[j]) for row in table.rows) for j in range(len(table.columns))]


def _bars(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text).replace("\n", " ")


def _bold(text: str, bold: bool) -> str:
    return rf"\textbf{{{text}}}" if bold else text


def _short(caption: str, sides: str, head: str, rows: Sequence[str], wide: bool) -> list[str]:
    tabular = [
        rf"\begin{{tabular}}{{{sides}}}",
        r"\toprule",
        head,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if wide:
        tabular = [r"\resizebox{\linewidth}{!}{%", *tabular, "}"]
    return [r"\begin{table}", r"\centering", caption, *tabular, r"\end{table}"]


def _long(caption: str, sides: str, head: str, rows: Sequence[str]) -> list[str]:
    top = [r"\begingroup\tiny", rf"\begin{{longtable}}{{{sides}}}", rf"{caption}\\", r"\toprule", head, r"\midrule"]
    return [*top, r"\endhead", r"\bottomrule", r"\endfoot", *rows, r"\end{longtable}", r"\endgroup"]
