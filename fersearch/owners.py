"""Whose files these are: marks beside files that several databases share, each naming a database and a study of it."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self

from fersearch.files import write_atomic

FILE = "owner.json"
_MARK = re.compile("([0-9a-f]{32})-([0-9a-f]{32})")


class Owner(NamedTuple):
    """A study, by its random id and that of the database that holds it."""

    database: str
    study: str

    @property
    def mark(self) -> str:
        """The name of the mark that says that a file is this study's."""
        return f"{self.database}-{self.study}"

    @classmethod
    def of_mark(cls, name: str) -> Self | None:
        """The owner that the name of a mark means; None where it is not mark's."""
        found = _MARK.fullmatch(name)
        return cls(found[1], found[2]) if found else None


def mark_folder(folder: Path, owner: Owner) -> None:
    """Say in a folder whose it is; one that says so already stays as it is.

    Raises:
        OSError: it cannot be written.
    """
    if owner_of(folder) != owner:
        write_atomic(folder / FILE, json.dumps(owner._asdict()).encode())


def owner_of(folder: Path) -> Owner | None:
    """Whose a folder is; None where nobody marked it."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        told = json.loads((folder / FILE).read_bytes())
        return Owner(str(told["database"]), str(told["study"])) if {"database", "study"} <= told.keys() else None
    return None
