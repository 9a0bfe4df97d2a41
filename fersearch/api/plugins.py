"""List and show plugins, write one from a template, and run the contract suite on a file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch import templates
from fersearch.components import Architecture, Dataset, Task
from fersearch.context import components
from fersearch.errors import FersearchError, PluginError, UsageError, lookup
from fersearch.observer import StudyObserver
from fersearch.plugins import plugin_folder
from fersearch.recipe import OPTIMISATION, REGULARISATION, freezing
from fersearch.registry import KINDS, Registry
from fersearch.space import Space, describe

if TYPE_CHECKING:
    from fersearch.training.summary import Layer


@dataclass(frozen=True)
class PluginRow:
    """A component that a plugin provides."""

    kind: str
    name: str
    module: str
    summary: str


@dataclass(frozen=True)
class PluginView:
    """A component with its search space, and for an architecture the size and layers of one configuration."""

    kind: str
    name: str
    module: str
    summary: str
    space: Mapping[str, str]
    parameters: Mapping[str, int] | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    layers: Sequence["Layer"] = ()


@dataclass(frozen=True)
class CheckReport:
    """The outcome of the contract suite on a plugin file: whether it passed, and its report."""

    passed: bool
    lines: tuple[str, ...]


def list_plugins(plugins: tuple[Path, ...] = ()) -> tuple[list[PluginRow], dict[str, str]]:
    """Return every component, and the error of each plugin that could not be loaded by its name."""
    registry = components(plugins)
    rows = [PluginRow(kind, item.name, _module(registry, item), item.summary) for kind, item in registry.components()]
    return rows, registry.broken


def show_plugin(
    name: str,
    *,
    classes: int = 8,
    channels: int = 1,
    image_size: int = 48,
    settings: Mapping[str, str] | None = None,
    layers: bool = False,
    plugins: tuple[Path, ...] = (),
) -> PluginView:
    """Return one component by name; an architecture's parameters are counted for the given task.

    Args:
        settings: narrow an architecture's space in the syntax of `--set`; its first configuration is counted.
        layers: also list an architecture's layers.

    Raises:
        UnknownName: no component has that name.
        UsageError: the settings are not in the space.
        PluginError: an architecture's own code fails.
    """
    registry = components(plugins)
    kind, item = _find(registry, name)
    space: dict[str, Any] = dict(getattr(item, "space", {}))
    if isinstance(item, Dataset):
        space = {**item.decoding, **item.options}
    offers = {key: describe(dimension) for key, dimension in space.items()}
    view = PluginView(kind, name, _module(registry, item), item.summary, offers, details=_details(item))
    if not isinstance(item, Architecture):
        return view
    task = Task(tuple(f"class{i}" for i in range(classes)), channels, image_size)
    params = default_params(item, settings)
    with _blamed(item, view.module):
        view = replace(view, parameters=count_parameters(item, task, params))
        return replace(view, layers=_layers(item, task, params)) if layers else view


def _module(registry: Registry, item: object) -> str:
    """Return the origin of a component: the path of a single file, or the name of an installed module."""
    file = registry.file_of(item)
    return file.path if file else type(item).__module__


@contextmanager
def _blamed(item: Architecture, module: str) -> Iterator[None]:
    """Convert an error of the architecture's own code to a PluginError."""
    try:
        yield
    except FersearchError:
        raise
    except Exception as error:
        message = f"architecture '{item.name}' of {module} cannot be built: {type(error).__name__}: {error}"
        hint = f"see what is wrong: fersearch plugin check {module}" if module.endswith(".py") else ""
        raise PluginError(message, hint) from error


def count_parameters(architecture: Architecture, task: Task, params: Mapping[str, Any] | None = None) -> dict[str, int]:
    """Count a configuration's parameters on the meta device, which allocates nothing; default `default_params`."""
    from fersearch.training.summary import count_on_meta

    return count_on_meta(architecture, params or default_params(architecture), task)


def default_params(architecture: Architecture, settings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the first configuration of an architecture's space and the recipe's; no stage is frozen unless set."""
    freeze = freezing(architecture.stage_names, pretrained=False)
    space = Space({**OPTIMISATION, **REGULARISATION, **freeze, **architecture.space})
    return next(space.narrowed(settings or {}).configurations())


def _layers(architecture: Architecture, task: Task, params: Mapping[str, Any]) -> "Sequence[Layer]":
    from fersearch.training.summary import layers

    return layers(architecture, params, task)


def new_plugin(kind: str, name: str, folder: Path | None = None) -> list[Path]:
    """Write a plugin and its test from the template, into the plugins folder unless another is given.

    Raises:
        UsageError: the kind or the name is invalid, or a file exists already.
    """
    lookup("kind", kind, KINDS)
    if not name.isidentifier() or not name.islower():
        raise UsageError(f"'{name}' is not a valid name for a plugin", "use lower-case letters, digits and '_'")
    folder = folder or plugin_folder()
    files = {folder / file: text for file, text in templates.render(kind, name).items()}
    for path in files:
        if path.exists():
            raise UsageError(f"{path} exists", "choose another name, or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return list(files)


def check_plugin(file: Path, *, data: Path | None = None) -> CheckReport:
    """Run the contract suite on each component that a plugin file provides.

    Args:
        data: the files of a dataset that needs some; without them fewer tests run.

    Raises:
        PluginError: the file cannot be loaded.
    """
    registry = components([file], folder=False)
    brought = [(kind, item) for kind, item in registry.components() if registry.file_of(item) is not None]
    if not brought:
        raise UsageError(
            f"{file} registers nothing", "add a @hookimpl function such as register_architectures(register)"
        )
    from fersearch.testing.run import run_suite

    lines: list[str] = []
    passed = True
    for kind, item in brought:
        good, results = run_suite(kind, item, data)
        passed &= good
        lines += [f"{kind} {item.name}", *(f"  {line}" for line in results)]
    return CheckReport(passed, tuple(lines))


def _find(registry: Registry, name: str) -> tuple[str, Any]:
    table = {item.name: (kind, item) for kind, item in registry.components()}
    if name.partition(":")[0] in registry.architectures and name not in table:
        return "architecture", registry.architecture(name)
    return lookup("plugin", name, table)


def _details(item: Any) -> dict[str, str]:
    if isinstance(item, Architecture):
        sources = ", ".join(item.weights) or "none"
        return {"stages": ", ".join(item.stage_names), "pretrained weights": sources}
    if isinstance(item, Dataset):
        return {"targets": ", ".join(item.targets), "licence": item.licence}
    if isinstance(item, StudyObserver):
        return dict(item.options)
    return {"direction": item.direction, "unit": item.unit or "none"}
