"""The context of every verb: the available components, the database, and notices for the user."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch import trust
from fersearch.errors import NoDatabase, UsageError
from fersearch.home import database_url
from fersearch.study import is_finish

if TYPE_CHECKING:
    from fersearch.plugins import PluginFile
    from fersearch.registry import Registry
    from fersearch.store import Store, StudyRow, StudySummary


_shared: "dict[str, Store]" = {}
notices: list[str] = []
_reported: set[str] = set()


def drain_notices() -> list[str]:
    """Return the notices since the last call; a line that was returned before is not repeated."""
    lines = [line for line in dict.fromkeys(notices) if line not in _reported]
    notices.clear()
    _reported.update(lines)
    return lines


def was_reported(line: str) -> bool:
    """Return whether a notice was returned by `drain_notices` before."""
    return line in _reported


def components(files: "Iterable[Path | PluginFile]" = (), *, folder: bool = True) -> "Registry":
    """Load the components: installed ones, those of the plugins folder, and those of the given files.

    A notice names each file used and each broken plugin. Files loaded here count as trusted from then on; use
    `components_of` for files from a database.
    """
    from fersearch import registry
    from fersearch.plugins import plugin_folder

    loaded = registry.load(files, plugin_folder() if folder else None)
    trust.trust({file.digest: file.path for file in loaded.files})
    notices.extend(f"using plugin {file.path}" for file in loaded.files)
    notices.extend(loaded.broken.values())
    return loaded


def components_of(study: "StudyRow", *others: "StudyRow") -> "Registry":
    """Return the available components and those of the plugin files stored with studies, if the user trusts these.

    Raises:
        PluginError: a file is not trusted here, or cannot be loaded.
    """
    for record in (study, *others):
        require_trusted(record)
    files = {file.digest: file for record in (study, *others) for file in record.plugins}
    return components(files.values(), folder=False)


def require_trusted(study: "StudyRow") -> None:
    """Raise PluginError unless the user trusts the plugin files of a study; ask once at a terminal.

    Raises:
        PluginError: the files are not trusted.
    """
    files = {file.digest: (file.path, file.source) for file in study.plugins}
    how = f"allow it with --trust-plugin (in Python: api.trust_plugins('{study.name}'))"
    trust.require(files, f"study '{study.name}'", how)


def trust_plugins(name: str, storage: str | None = None) -> None:
    """Trust the plugin files that are stored with a study from now on."""
    with open_store(storage) as store:
        trust.trust({file.digest: file.path for file in store.study(name).plugins})


def open_store(storage: str | None = None, *, create: bool = False) -> "Store":
    """Open the database, migrated if needed; requirements of its file system are noted.

    Args:
        create: create it if there is none.

    Raises:
        NoDatabase: there is none, and `create` is False.
    """
    if (shared := _shared.get(database_url(storage))) is not None:
        return shared
    from fersearch.store import (
        Store,  # here, because SQLAlchemy takes longer to import than all else that a prediction needs
    )
    from fersearch.store.neighbours import remember

    store = Store.open(database_url(storage), create=create)
    remember(store)
    if store.notice:
        notices.append(store.notice)
    return store


@contextmanager
def shared_store(storage: str | None = None) -> "Iterator[Store]":
    """Yield the database, created if missing; within the block `open_store` returns it instead of opening another.

    All verbs of the process share its connections, compiled statements and cached trials.
    """
    from fersearch.store.shared import SharedStore

    url = database_url(storage)
    with open_store(storage, create=True) as own:
        _shared[url] = SharedStore(own.database)
        try:
            yield _shared[url]
        finally:
            del _shared[url]


def all_studies(storage: str | None = None) -> "list[StudySummary]":
    """Return every study with its counts by state, oldest first; without a database none, and a notice."""
    try:
        with open_store(storage) as store:
            return store.studies()
    except NoDatabase as none:
        notices.append(f"{none.message}; {none.hint}")
        return []


def matching_studies(patterns: Sequence[str], storage: str | None = None) -> list[str]:
    """Return the names of the studies that match patterns, oldest first: a name, or one with `*` as a wildcard.

    Studies `finish/NAME` match wildcards only after `finish/`.

    Raises:
        UsageError: no study matches a pattern with `*`.
    """
    many = any("*" in pattern for pattern in patterns)
    names = [summary.name for summary in all_studies(storage)] if many else []
    wants_finishes = any(is_finish(pattern) for pattern in patterns)
    available = [name for name in names if wants_finishes or not is_finish(name)]
    matches: dict[str, None] = {}
    for pattern in patterns:
        fitting = [name for name in available if fnmatchcase(name, pattern)] if "*" in pattern else [pattern]
        if not fitting:
            raise UsageError(f"no study matches '{pattern}'", "see: fersearch study list")
        matches |= dict.fromkeys(fitting)
    return list(matches)
