"""The other databases with files in this home: which there are, and whether they need a file."""

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
    """Write down that a database has files in this home; where nothing can be written, it is not."""
    one = Known(store.database.address, store.identity)
    name = hashlib.sha256(one.url.encode()).hexdigest()[:16]
    path = databases_folder() / f"{name}.json"
    if (path, one.url, one.identity) in _remembered:
        return
    with suppress(OSError):
        if _read(path) != one:
            write_atomic(path, json.dumps({"url": one.url, "id": one.identity}).encode())
        _remembered.add((path, one.url, one.identity))


def known() -> Iterator[Known]:
    """Every database that used this home, and the home's own."""
    own = sqlite_address(own_database())
    found = {own: Known(own)}
    for path in sorted(databases_folder().glob("*.json")):
        if (one := _read(path)) is not None:
            found[one.url] = one
    yield from found.values()


class Neighbour:
    """Another database of this home, read when first asked. `trouble` says why it cannot be read now, if it cannot."""

    def __init__(self, known: Known) -> None:
        self.url, self._identity = known.url, known.identity
        self.trouble, self._older = "", False

    @cached_property
    def found(self) -> Checkup | None:
        """What it holds; None while it cannot be read."""
        try:
            path = sqlite_path(self.url)
            if path is not None and not path.parent.is_dir():
                self.trouble = f"{path.parent} is not there"
                return None
            found = check_up(self.url)
        except StoreError as error:
            self.trouble = error.message
            return None
        if found.schema not in (None, found.newest):
            self.trouble, self._older = "it is of an older fersearch: study list brings it up to date", True
            return None
        return found

    def may_be(self, identity: str) -> bool:
        """Whether it may have that random id, as a copy has; an older one has none."""
        if self._identity:
            return self._identity == identity
        return (self.found is None and not self._older) or (self.found is not None and self.found.identity == identity)


class Neighbours:
    """What the databases of this home beside one of them say of files that are not needed by that one.

    `unread` are those that were asked and could not be read, each with the reason.
    """

    def __init__(self, store: Store) -> None:
        self._identity = store.identity
        self._others = [Neighbour(one) for one in known() if not _is_same(one.url, store.database.address)]

    @property
    def unread(self) -> dict[str, str]:
        """Why a database could not be read, by its URL."""
        return {other.url: other.trouble for other in self._others if other.trouble}

    def may_keep(self, digest: str, owners: "set[Owner] | frozenset[Owner]" = frozenset()) -> bool:
        """Whether one of them needs the artifact of a digest, or cannot be asked."""
        return self._is_foreign(owners) or any(
            other.found is None or digest in other.found.kept for other in self._asked(marked=bool(owners))
        )

    def may_run(self, study: str, number: int | None, owner: Owner | None) -> bool:
        """Whether one of them has the trial of a study (by its random id; any of its trials) and may run it yet.

        Without a number it is asked whether it has the study at all.
        """
        if owner is not None and self._is_foreign({owner}):
            return True
        return any(
            other.found is None or _has(other.found, study, number) for other in self._asked(marked=owner is not None)
        )

    def _is_foreign(self, owners: "set[Owner] | frozenset[Owner]") -> bool:
        return any(owner.database != self._identity for owner in owners)

    def _asked(self, marked: bool) -> Iterator[Neighbour]:
        """Those whose files may be meant: of files that only this database marked, the copies of it."""
        for other in self._others:
            if not marked or other.may_be(self._identity):
                yield other


def _has(found: Checkup, study: str, number: int | None) -> bool:
    return study in found.unfinished and (number is None or number in found.unfinished[study])


def _is_same(url: str, other: str) -> bool:
    if url == other:
        return True
    one, two = sqlite_path(url), sqlite_path(other)
    with suppress(OSError):
        return one is not None and two is not None and one.samefile(two)
    return False


def _read(path: Path) -> Known | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads(path.read_bytes())
        return Known(str(told["url"]), str(told["id"]))
    return None
