"""The parts of a page: sections of paragraphs, plots, tables, galleries, and reasons why a part is missing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from fersearch.report.derive import Mistake
from fersearch.report.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Text:
    """One paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Missing:
    """The reason why a part is missing."""

    kind: ClassVar[str] = "missing"
    why: str


@dataclass(frozen=True)
class Plot:
    """A figure under the name of its files, with a caption."""

    kind: ClassVar[str] = "plot"
    name: str
    caption: str
    figure: "Figure"


@dataclass(frozen=True)
class Row:
    """Plots side by side if the page is wide enough."""

    kind: ClassVar[str] = "row"
    plots: Sequence[Plot]


@dataclass(frozen=True)
class Tabular:
    """A table; the page shows its first `most` rows, the files hold all."""

    kind: ClassVar[str] = "table"
    table: Table
    most: int = 200


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    kind: ClassVar[str] = "facts"
    pairs: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Gallery:
    """Misclassified images, embedded only in the page."""

    kind: ClassVar[str] = "gallery"
    mistakes: Sequence[Mistake]


@dataclass(frozen=True)
class Fold:
    """Parts that are folded until opened."""

    kind: ClassVar[str] = "fold"
    title: str
    parts: Sequence["Part"]


Part = Text | Missing | Plot | Row | Tabular | Facts | Gallery | Fold


@dataclass(frozen=True)
class Section:
    """A titled part of the page; `id` is its anchor."""

    id: str
    title: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Page:
    """A whole report: its title, the line below, figures that matter most, and the sections."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    tiles: Sequence[tuple[str, str]] = field(default=())
    footer: str = ""

    def plots(self) -> list[Plot]:
        """Return every plot, in order."""
        plots: list[Plot] = []
        for part in self._flat():
            plots += [part] if isinstance(part, Plot) else part.plots if isinstance(part, Row) else []
        return plots

    def tables(self) -> list[Table]:
        """Return every table, in order."""
        return [part.table for part in self._flat() if isinstance(part, Tabular)]

    def _flat(self) -> list[Part]:
        parts = [part for section in self.sections for part in section.parts]
        return [inner for part in parts for inner in (part.parts if isinstance(part, Fold) else [part])]
