"""What the datasets of the layout table share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fersearch.space import Dimension, Value
from fersearch_datasets._listed import Figures, Listing


@dataclass(frozen=True)
class Layout:
    """One dataset: how its files are read, its classes, and the published figures to which its counts are compared.

    With `boxes` a face is cut out of its photo where a table has its box. `leaves_out` has the classes that an
    option's value drops. `files` lists the files where reading the listing for them would take too long.
    """

    name: str
    summary: str
    licence: str
    expected: str
    classes: tuple[str, ...]
    read: Callable[[Path, "Layout"], Listing]
    figures: Figures
    files: Callable[[Path, "Layout"], list[Path]] | None = None
    options: Mapping[str, Dimension] = field(default_factory=dict)
    leaves_out: Mapping[str, Mapping[Value, tuple[str, ...]]] = field(default_factory=dict)
    boxes: bool = False
