"""Ownership of files that several databases share: marks that name a database and one of its studies."""

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
        """The name of the mark of a file that is this study's."""
        return f"{self.database}-{self.study}"

    @classmethod
    def of_mark(cls, name: str) -> Self | None:
        """Return the owner encoded in the name of a mark; None if it is not the name of a mark."""
        match = _MARK.fullmatch(name)
        return cls(match[1], match[2]) if match else None


def mark_folder(folder: Path, owner: Owner) -> None:
    """Mark a folder as an owner's; an existing mark stays.

    Raises:
        OSError: it cannot be written.
    """
    if owner_of(folder) != owner:
        write_atomic(folder / FILE, json.dumps(owner._asdict()).encode())


def owner_of(folder: Path) -> Owner | None:
    """Return the owner of a folder; None without a mark."""
    with suppress(OSError, ValueError, TypeError, AttributeError):
        record = json.loads((folder / FILE).read_bytes())
        return Owner(str(record["database"]), str(record["study"])) if {"database", "study"} <= record.keys() else None
    return None
