"""The other databases with files in this home, and whether they need a file."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fersearch.errors import StoreError
from fersearch.files import write_atomic
from fersearch.home import databases_folder, own_database
from fersearch.owners import Owner
from fersearch.store.database import sqlite_address, sqlite_path
from fersearch.store.schema import Checkup, check_up
from fersearch.store.store import Store

_remembered: set[tuple[Path, str, str]] = set()


@dataclass(frozen=True)
class Known:
    """A database that used this home: its URL without a password, and its random id when it was last used."""

    url: str
    identity: str = ""


def remember(store: Store) -> None:
    """Record that a database has files in this home; without effect where nothing can be written."""
    database = Known(store.database.address, store.identity)
    name = hashlib.sha256(database.url.encode()).hexdigest()[:16]
    path = databases_folder() / f"{name}.json"
    if (path, database.url, database.identity) in _remembered:
        return
    with suppress(OSError):
        if _read(path) != database:
            write_atomic(path, json.dumps({"url": database.url, "id": database.identity}).encode())
        _remembered.add((path, database.url, database.identity))


def known() -> Iterator[Known]:
    """Yield every database that used this home, and the home's own."""
    own = sqlite_address(own_database())
    databases = {own: Known(own)}
    for path in sorted(databases_folder().glob("*.json")):
        if (database := _read(path)) is not None:
            databases[database.url] = database
    yield from databases.values()


class Neighbour:
    """Another database of this home, read on first use."""

    def __init__(self, known: Known) -> None:
        self.url, self._identity = known.url, known.identity
        self.trouble, self._older = "", False

    @cached_property
    def content(self) -> Checkup | None:
        """Its content; None if it cannot be read, with the reason in `trouble`."""
        try:
            path = sqlite_path(self.url)
            if path is not None and not path.parent.is_dir():
                self.trouble = f"{path.parent} does not exist"
                return None
            checkup = check_up(self.url)
        except StoreError as error:
            self.trouble = error.message
            return None
        if checkup.schema not in (None, checkup.newest):
            self.trouble, self._older = "it was made by an older fersearch: study list brings it up to date", True
            return None
        return checkup

    def may_be(self, identity: str) -> bool:
        """Return whether it may have that random id, as a copy would; an older schema has none."""
        if self._identity:
            return self._identity == identity
        content = self.content
        return (content is None and not self._older) or (content is not None and content.identity == identity)


class Neighbours:
    """The other databases of this home, asked about files that one database does not need.

    `unread` has those that were asked and could not be read, each with the reason.
    """

    def __init__(self, store: Store) -> None:
        self._identity = store.identity
        self._others = [Neighbour(one) for one in known() if not _is_same(one.url, store.database.address)]

    @property
    def unread(self) -> dict[str, str]:
        """The reason why a database could not be read, by its URL."""
        return {other.url: other.trouble for other in self._others if other.trouble}

    def may_keep(self, digest: str, owners: "set[Owner] | frozenset[Owner]" = frozenset()) -> bool:
        """Return whether one of them needs the artifact of a digest, or cannot be read."""
        return self._is_foreign(owners) or any(
            other.content is None or digest in other.content.checkpoints
            for other in self._concerned(marked=bool(owners))
        )

    def may_run(self, study: str, number: int | None, owner: Owner | None) -> bool:
        """Return whether one of them has a trial of a study (by its random id) that it may still run.

        Without a number it returns whether one of them has the study at all.
        """
        if owner is not None and self._is_foreign({owner}):
            return True
        return any(
            other.content is None or _has(other.content, study, number)
            for other in self._concerned(marked=owner is not None)
        )

    def _is_foreign(self, owners: "set[Owner] | frozenset[Owner]") -> bool:
        return any(owner.database != self._identity for owner in owners)

    def _concerned(self, marked: bool) -> Iterator[Neighbour]:
        """Yield the databases to ask: all, or for files that this database marked as its own only its copies."""
        for other in self._others:
            if not marked or other.may_be(self._identity):
                yield other


def _has(checkup: Checkup, study: str, number: int | None) -> bool:
    return study in checkup.unfinished and (number is None or number in checkup.unfinished[study])


def _is_same(url: str, other: str) -> bool:
    if url == other:
        return True
    first, second = sqlite_path(url), sqlite_path(other)
    with suppress(OSError):
        return first is not None and second is not None and first.samefile(second)
    return False


def _read(path: Path) -> Known | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(path.read_bytes())
        return Known(str(record["url"]), str(record["id"]))
    return None
