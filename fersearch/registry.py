"""Components by name. An unknown name, or one that two plugins define, is an error that names it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from fersearch import plugins
from fersearch.components import Architecture, Dataset, Metric
from fersearch.errors import PluginError, UnknownName, lookup
from fersearch.observer import StudyObserver
from fersearch.space import Choice, Float, Int

C = TypeVar("C", Architecture, Dataset, Metric, StudyObserver)
KINDS: dict[str, type[Any]] = {
    "architecture": Architecture,
    "dataset": Dataset,
    "metric": Metric,
    "observer": StudyObserver,
}


@dataclass
class Registry:
    """All components of the loaded plugins."""

    architectures: dict[str, Architecture] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)
    observers: dict[str, StudyObserver] = field(default_factory=dict)
    files: list[plugins.PluginFile] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)

    def architecture(self, name: str) -> Architecture:
        """Return the architecture of that name, or of a family's `family:variant`; UnknownName if there is none."""
        family, _, variant = (name, "", "") if name in self.architectures else name.partition(":")
        return self._find("architecture", family, self.architectures).variant(variant)

    def dataset(self, name: str) -> Dataset:
        """Return the dataset of that name; UnknownName if there is none."""
        return self._find("dataset", name, self.datasets)

    def metric(self, name: str) -> Metric:
        """Return the metric of that name; UnknownName if there is none."""
        return self._find("metric", name, self.metrics)

    def observer(self, name: str) -> StudyObserver:
        """Return the observer of that name; UnknownName if there is none."""
        return self._find("observer", name, self.observers)

    @property
    def tables(self) -> dict[str, dict[str, Any]]:
        """The components of each kind, by name."""
        return {
            "architecture": self.architectures,
            "dataset": self.datasets,
            "metric": self.metrics,
            "observer": self.observers,
        }

    def components(self) -> list[tuple[str, Any]]:
        """Return every component with its kind, sorted by kind and name."""
        return [(kind, table[name]) for kind, table in self.tables.items() for name in sorted(table)]

    def file_of(self, component: object) -> plugins.PluginFile | None:
        """Return the single plugin file that provides a component; None if a package does."""
        module = type(component).__module__
        return next((file for file in self.files if file.module_name == module), None)

    def _find(self, kind: str, name: str, table: dict[str, C]) -> C:
        try:
            return lookup(kind, name, table)
        except UnknownName as error:
            if self.broken:
                error.hint += "\n  not loaded: " + "\n  not loaded: ".join(self.broken.values())
            raise


def load(files: Iterable[Path | plugins.PluginFile] = (), folder: Path | None = None) -> Registry:
    """Load the plugins and register their components.

    Raises:
        PluginError: a file in `files` is broken, or two plugins provide the same name.
    """
    explicit = list(files)
    loaded = plugins.load(explicit, folder)
    registry = Registry(files=loaded.files, broken=loaded.broken, modules=list(plugins.preload_names(loaded)))
    by_hand = {str(file.path if isinstance(file, plugins.PluginFile) else file) for file in explicit}
    for _, plugin in loaded.manager.list_name_plugin():  # in the order they were loaded
        if plugin is not None:
            _register(registry, plugin, loaded.manager, by_hand)
    for dataset in registry.datasets.values():
        dataset.connect(registry.datasets)
    return registry


def _register(registry: Registry, plugin: Any, manager: Any, by_hand: set[str]) -> None:
    """Call one plugin's hooks; its components are kept only if all of them are valid."""
    where = str(getattr(plugin, "__file__", plugin))
    registered: list[tuple[dict[str, Any], Any]] = []
    try:
        for kind, table in registry.tables.items():
            hook = getattr(plugin, f"register_{kind}s", None)
            if hook is not None and manager.parse_hookimpl_opts(plugin, f"register_{kind}s") is not None:
                hook(register=_collector(kind, table, registered, where))
    except PluginError as error:
        if "claimed twice" in error.message or where in by_hand:
            raise
        registry.broken[where] = error.message
        return
    except Exception as error:
        message = f"plugin {where} cannot be registered: {type(error).__name__}: {error}"
        if where in by_hand:
            raise PluginError(message, "fix it, or check it with `fersearch plugin check FILE`") from error
        registry.broken[where] = message
        return
    for table, component in registered:
        table[component.name] = component


def _collector(
    kind: str, table: dict[str, Any], registered: list[tuple[dict[str, Any], Any]], where: str
) -> Callable[[Any], None]:
    def register(component: Any) -> None:
        if not isinstance(component, KINDS[kind]):
            raise PluginError(f"plugin {where}: register_{kind}s was given {component!r}, not {_a(kind)}")
        _check(component, kind, where)
        others = [known for other, known in registered if other is table] + list(table.values())
        for other in others:
            if other.name == component.name:
                raise PluginError(
                    f"{kind} '{component.name}' is claimed twice: by {where_from(other)} and by {where}",
                    "rename one of them, or remove one plugin",
                )
        registered.append((table, component))

    return register


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _check(component: Any, kind: str, where: str) -> None:
    name = getattr(component, "name", None)
    if not isinstance(name, str) or not name or any(c.isspace() for c in name):
        raise PluginError(f"plugin {where}: {_a(kind)} needs a name without blanks, not {name!r}")
    if kind == "observer":
        _check_observer(component, where)
        return
    spaces = {
        **getattr(component, "space", {}),
        **getattr(component, "options", {}),
        **getattr(component, "decoding", {}),
    }
    for key, dimension in spaces.items():
        if not isinstance(dimension, Float | Int | Choice):
            raise PluginError(f"plugin {where}: {name}.{key} must be a Float, an Int or a Choice, not {dimension!r}")
    if kind == "architecture" and not getattr(component, "stage_names", ()):
        raise PluginError(f"plugin {where}: architecture {name} needs stage_names, input first")


def _check_observer(observer: StudyObserver, where: str) -> None:
    for key, meaning in observer.options.items():
        if not isinstance(key, str) or not key.isidentifier() or not isinstance(meaning, str):
            problem = f"option {key!r} of observer {observer.name} must be a name with a line that explains it"
            raise PluginError(f"plugin {where}: {problem}, not {meaning!r}")
    if ":" in observer.name:
        raise PluginError(f"plugin {where}: an observer's name has no colon, for its options follow one")


def where_from(component: object) -> str:
    """Return the file of a component for messages."""
    import sys

    module = sys.modules.get(type(component).__module__)
    return str(getattr(module, "__file__", type(component).__module__))
