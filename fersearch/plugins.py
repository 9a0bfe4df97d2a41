"""Discovery and loading of plugins: installed packages, files in the plugins folder, and files given.

A plugin that cannot be loaded names its file and its error and does not take the others down;
asking for something that only it provides then says so.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import pluggy

from fersearch import hookspecs, trust
from fersearch.errors import PluginError

GROUP = "fersearch"
LONGEST_STEM = 60  # characters of a file's name that are kept in front of its digest
Finder = Callable[[], ModuleType]
ONE_FILE = "a plugin is one file, or a package with an entry point"
JOIN = "put what it needs into the file, or make a package: plugins/README.md"


@dataclass(frozen=True)
class PluginFile:
    """A plugin file as a study stores it: its path, the SHA-256 of its text, and the text."""

    path: str
    digest: str
    source: str

    @classmethod
    def read(cls, path: Path) -> "PluginFile":
        """Read a file; PluginError if it cannot be read."""
        try:
            source = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise PluginError(f"cannot read plugin {path}: {error}", "give the path of a Python file") from None
        return cls(str(path), hashlib.sha256(source.encode()).hexdigest(), source)

    @property
    def module_name(self) -> str:
        """The name of its module: the file's stem and digest, so that no two files collide."""
        return f"fersearch_plugin_{Path(self.path).stem}_{self.digest[:12]}"

    @property
    def stored_name(self) -> str:
        """Its file name next to weights that need it."""
        return stored_name(self.path, self.digest)

    @property
    def entry(self) -> dict[str, str]:
        """Its entry in the card of a checkpoint."""
        return {"path": self.path, "digest": self.digest, "file": self.stored_name}


def stored_name(path: str, digest: str) -> str:
    """Return the file name of a plugin file next to weights: stem and digest, so that no two collide."""
    return f"{Path(path).stem.lstrip('.')[:LONGEST_STEM] or 'plugin'}-{digest[:8]}.py"


@dataclass
class Loaded:
    """The loaded plugins: a manager to call hooks on, the files used, and what failed."""

    manager: pluggy.PluginManager
    files: list[PluginFile] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)


def plugin_folder() -> Path:
    """Return the folder of plugin files: `FERSEARCH_PLUGINS_DIR`, else `./plugins`."""
    return Path(os.environ.get("FERSEARCH_PLUGINS_DIR") or "plugins")


def folder_files(folder: Path) -> list[Path]:
    """Return the plugin files of a folder: top-level `*.py`, but no tests, no `_*` and no conftest.py."""
    names = sorted(folder.glob("*.py")) if folder.is_dir() else []
    return [path for path in names if not path.name.startswith(("test_", "_")) and path.name != "conftest.py"]


def load(files: Iterable[Path | PluginFile] = (), folder: Path | None = None) -> Loaded:
    """Load installed plugins, those of a folder, and the files given.

    A file in `files` must load, else PluginError is raised; others may be broken. The file of an installed plugin
    replaces that plugin.
    """
    loaded = Loaded(new_manager())
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        _attempt(loaded, entry.value, partial(_register, loaded.manager, entry.value, partial(_from_entry, entry)))
    for path in _own_files(loaded, folder) if folder else []:
        _attempt(loaded, str(path), partial(_register_path, loaded, path))
    for item in files:
        file = item if isinstance(item, PluginFile) else PluginFile.read(item)
        if not any(file.digest == known.digest for known in loaded.files):
            _make_way(loaded.manager, Path(file.path))
            _register_file(loaded, file)
    return loaded


def _own_files(loaded: Loaded, folder: Path) -> list[Path]:
    """Return the plugin files that run without asking: all of a named folder, else those only the user can write."""
    paths = folder_files(folder)
    if os.environ.get("FERSEARCH_PLUGINS_DIR") or not paths:
        return paths
    if whole := trust.refusal(folder):
        message = f"the plugins in {folder} are not loaded: {whole}; to load one, name it: --plugin {paths[0]}"
        loaded.broken[str(folder)] = message
        return []
    reasons = {path: reason for path in paths if (reason := trust.refusal(path))}
    for path, reason in reasons.items():
        loaded.broken[str(path)] = f"plugin {path} is not loaded: {reason}; to load it, name it: --plugin {path}"
    return [path for path in paths if path not in reasons]


def new_manager() -> pluggy.PluginManager:
    """Return a plugin manager with fersearch's hooks and no plugin yet."""
    manager = pluggy.PluginManager("fersearch")
    manager.add_hookspecs(hookspecs)
    return manager


def preload_names(loaded: Loaded) -> Sequence[str]:
    """Return the importable modules behind the loaded plugins (not those of single files)."""
    names = (getattr(plugin, "__name__", "") for plugin in loaded.manager.get_plugins())
    return sorted(name for name in names if name and not name.startswith("fersearch_plugin_"))


def _attempt(loaded: Loaded, where: str, register: Callable[[], None]) -> None:
    try:
        register()
    except PluginError as error:
        loaded.broken[where] = error.message


def _register(manager: pluggy.PluginManager, where: str, find: Finder) -> None:
    module: ModuleType | None = None
    try:
        module = find()
        if not manager.is_registered(module):
            manager.register(module)
        manager.check_pending()
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        if module is not None and manager.is_registered(module):
            manager.unregister(module)
        lines = str(error).strip().splitlines() or [""]
        reason = ": ".join(dict.fromkeys((lines[0], lines[-1])))  # pluggy's last line names the mistake
        message = f"plugin {where} cannot be loaded: {type(error).__name__}: {reason}"
        if helper := _helper_beside(Path(where), error):
            raise PluginError(f"{message}; {helper} lies beside it, but {ONE_FILE}", JOIN) from error
        raise PluginError(message, _way_out(error)) from error


def _helper_beside(file: Path, error: BaseException) -> str:
    """Return the sibling module that a plugin file failed to import; empty for other failures."""
    if not isinstance(error, ImportError) or file.suffix != ".py":
        return ""
    if "relative import" in str(error):
        return "what it imports relatively"
    name = (error.name or "").partition(".")[0]
    beside = [file.with_name(f"{name}.py"), file.with_name(name)] if name else []
    return next((path.name for path in beside if path.exists()), "")


def _way_out(error: BaseException) -> str:
    """Return a hint for a plugin that cannot be loaded."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"install what has the module '{error.name}', or fix it; `fersearch plugin check FILE` tells more"
    return "fix it, or check it with `fersearch plugin check FILE`"


def _from_entry(entry: EntryPoint) -> ModuleType:
    module: ModuleType = entry.load()
    return module


def _make_way(manager: pluggy.PluginManager, path: Path) -> None:
    """Unregister the installed plugin whose file was given explicitly."""
    for plugin in manager.get_plugins():
        place = getattr(plugin, "__file__", None)
        if place and Path(place).resolve() == path.resolve():
            manager.unregister(plugin)


def _register_path(loaded: Loaded, path: Path) -> None:
    """Register a file of a folder; one that implements no hook is a support file, and no plugin."""
    file = PluginFile.read(path)
    _register(loaded.manager, file.path, partial(import_file, file))
    if loaded.manager.get_hookcallers(module := import_file(file)):
        loaded.files.append(file)
    else:
        loaded.manager.unregister(module)


def _register_file(loaded: Loaded, file: PluginFile) -> None:
    """Register a file, and list it as used once it is."""
    _register(loaded.manager, file.path, partial(import_file, file))
    loaded.files.append(file)


def import_file(file: PluginFile) -> ModuleType:
    """Import a plugin file from its kept text, once per text."""
    name = file.module_name
    if name in sys.modules:
        return sys.modules[name]
    module = ModuleType(name, f"plugin {file.path}")
    module.__file__ = file.path
    module.__package__ = ""
    sys.modules[name] = module
    try:
        exec(compile(file.source, file.path, "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module
