"""What every verb starts from: the components at hand, the database, and what a person should be told."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch import trust
from fersearch.errors import NoDatabase, UsageError
from fersearch.home import database_url

if TYPE_CHECKING:
    from fersearch.plugins import PluginFile
    from fersearch.registry import Registry
    from fersearch.store import Store, StudyRow, StudySummary


notices: list[str] = []
_told: set[str] = set()


def drain_notices() -> list[str]:
    """Return what was noted since the last call; a line that was returned before is not told again."""
    lines = [line for line in dict.fromkeys(notices) if line not in _told]
    notices.clear()
    _told.update(lines)
    return lines


def was_told(line: str) -> bool:
    """Whether a notice was returned to be told before."""
    return line in _told


def components(files: "Iterable[Path | PluginFile]" = (), *, folder: bool = True) -> "Registry":
    """Load the components: installed ones, those of the plugins folder, those of the files given.

    Each single file that is used, and each plugin that is broken, is noted. What is loaded here is trusted from now
    on: files out of a database come by `components_of`.
    """
    from fersearch import registry
    from fersearch.plugins import plugin_folder

    loaded = registry.load(files, plugin_folder() if folder else None)
    trust.trust({file.digest: file.path for file in loaded.files})
    notices.extend(f"using plugin {file.path}" for file in loaded.files)
    notices.extend(loaded.broken.values())
    return loaded


def components_of(study: "StudyRow", *others: "StudyRow") -> "Registry":
    """The components at hand and those of plugin files that studies keep, where the user lets these run.

    Raises:
        PluginError: a file is not trusted here, or cannot be loaded.
    """
    for one in (study, *others):
        require_trusted(one)
    files = {file.digest: file for one in (study, *others) for file in one.plugins}
    return components(files.values(), folder=False)


def require_trusted(study: "StudyRow") -> None:
    """Make sure that the user lets the plugin files of a study run here; a person at a terminal is asked once.

    Raises:
        PluginError: nobody said so.
    """
    held = {file.digest: (file.path, file.source) for file in study.plugins}
    how = f"allow it with --trust-plugin (in Python: api.trust_plugins('{study.name}'))"
    trust.require(held, f"study '{study.name}'", how)


def trust_plugins(name: str, storage: str | None = None) -> None:
    """Let the plugin files that a study keeps in the database run here, from now on."""
    with open_store(storage) as store:
        trust.trust({file.digest: file.path for file in store.study(name).plugins})


def open_store(storage: str | None = None, *, create: bool = False) -> "Store":
    """Open the database, migrated if needed; what its file system asks of it is noted.

    Args:
        create: make it where there is none, as who stores a new study does.

    Raises:
        NoDatabase: there is none to open.
    """
    from fersearch.store import Store  # here, for SQLAlchemy takes longer to load than all else that a prediction needs
    from fersearch.store.neighbours import remember

    store = Store.open(database_url(storage), create=create)
    remember(store)
    if store.notice:
        notices.append(store.notice)
    return store


def all_studies(storage: str | None = None) -> "list[StudySummary]":
    """Return every study with its counts by state, oldest first; none, and a note, where there is no database."""
    try:
        with open_store(storage) as store:
            return store.studies()
    except NoDatabase as none:
        notices.append(f"{none.message}; {none.hint}")
        return []


def matching_studies(patterns: Sequence[str], storage: str | None = None) -> list[str]:
    """Return the names of the studies that patterns mean, oldest first: a name as it is, or one with `*` for anything.

    Raises:
        UsageError: nothing fits a pattern with `*`.
    """
    many = any("*" in pattern for pattern in patterns)
    known = [summary.name for summary in all_studies(storage)] if many else []
    found: dict[str, None] = {}
    for pattern in patterns:
        fitting = [name for name in known if fnmatchcase(name, pattern)] if "*" in pattern else [pattern]
        if not fitting:
            raise UsageError(f"no study fits '{pattern}'", "see: fersearch study list")
        found |= dict.fromkeys(fitting)
    return list(found)
