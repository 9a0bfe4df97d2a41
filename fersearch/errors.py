"""Errors for users: what came, what was likely meant, what to do next.

    FersearchError              a failure                     exit code 1
    ├── UsageError              wrong usage or input          exit code 2
    │   ├── UnknownName         a name that nothing provides
    │   ├── NameTaken           a study's name that another one has
    │   ├── DataError           a dataset that is missing or broken
    │   └── StudyFileError      every mistake of a study file at once
    ├── PluginError             a plugin that cannot be loaded
    ├── StoreError              a database that cannot be used
    │   ├── StoreUnavailable    one that does not respond at present
    │   │   └── StoreFull       one whose disk is full
    │   └── NoDatabase          one that does not exist yet
    └── StudyBusy               a study that another driver holds

Only the command line and the service print them.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from fersearch.escaping import masked

T = TypeVar("T")


class FersearchError(Exception):
    """A failure with a message (where, what came) and a hint (what to do next), without the passwords of URLs."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(masked(message))
        self.message = masked(message)
        self.hint = masked(hint)

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class UsageError(FersearchError):
    """The user's input cannot be used as it is."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that nothing provides."""


class NameTaken(UsageError):
    """A name that another study has."""


class DataError(UsageError):
    """A dataset that is missing, partial or broken."""


class StudyFileError(UsageError):
    """A study file with one or more mistakes, each named with its key."""

    def __init__(self, path: str, mistakes: Sequence[str]) -> None:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        super().__init__(f"{path}: {count}", "\n  ".join(mistakes))
        self.mistakes = tuple(mistakes)


class PluginError(FersearchError):
    """A plugin that cannot be found, loaded or trusted."""


class StoreError(FersearchError):
    """A database that cannot be opened, read or written."""


class StorageURLError(StoreError, UsageError):
    """A database's URL that cannot be used as it is written."""


class StoreUnavailable(StoreError):
    """A database that does not respond; a retry may succeed later."""


class StoreFull(StoreUnavailable):
    """A database whose disk is full; a retry succeeds once there is space."""


class NoDatabase(StoreError, UsageError):
    """A database that does not exist yet, at a path or a URL."""

    def __init__(self, where: str) -> None:
        hint = "the first study creates it: fersearch study create; or name another with --storage or FERSEARCH_STORAGE"
        super().__init__(f"no database exists at {where}", hint)


class StudyBusy(FersearchError):
    """A study whose lease another living driver holds."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'? known: a, b, c` for a name that is not known."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    close = close or [other for other in names if name and other.startswith(name.lower())]
    guess = f"did you mean '{close[0]}'? " if close else ""
    return f"{guess}known: {', '.join(names) or 'none'}"


def lookup(kind: str, name: str, known: Mapping[str, T]) -> T:
    """Return `known[name]`.

    Raises:
        UnknownName: nothing has that name; the hint holds the nearest and all the known ones.
    """
    if name in known:
        return known[name]
    plural = f"{kind[:-1]}ies" if kind.endswith("y") else kind if kind.endswith("s") else f"{kind}s"
    hint = suggestion(name, known).replace("known:", f"known {plural}:")
    raise UnknownName(f"unknown {kind} '{name}'", hint)
