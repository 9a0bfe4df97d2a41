"""What every verb starts from: the components at hand, the database, and what a person should be told."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch.home import database_url
from fersearch.store import Store
from fersearch.store.neighbours import remember

if TYPE_CHECKING:
    from fersearch.plugins import PluginFile
    from fersearch.registry import Registry

notices: list[str] = []
_told: set[str] = set()


def drain_notices() -> list[str]:
    """Return what was noted since the last call; a line that was returned before is not told again."""
    lines = [line for line in dict.fromkeys(notices) if line not in _told]
    notices.clear()
    _told.update(lines)
    return lines


def components(files: "Iterable[Path | PluginFile]" = (), *, folder: bool = True) -> "Registry":
    """Load the components: installed ones, those of the plugins folder, those of the files given.

    Each single file that is used, and each plugin that is broken, is noted.
    """
    from fersearch import registry
    from fersearch.plugins import plugin_folder

    loaded = registry.load(files, plugin_folder() if folder else None)
    notices.extend(f"using plugin {file.path}" for file in loaded.files)
    notices.extend(loaded.broken.values())
    return loaded


def open_store(storage: str | None = None, *, create: bool = False) -> Store:
    """Open the database, migrated if needed; what its file system asks of it is noted.

    Args:
        create: make it where there is none, as who stores a new study does.

    Raises:
        NoDatabase: there is none to open.
    """
    store = Store.open(database_url(storage), create=create)
    remember(store)
    if store.notice:
        notices.append(store.notice)
    return store
