"""Attribution of errors: an error out of a plugin's code names the plugin, wherever it is called from."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from fersearch.components import Architecture, Dataset, Evaluation, Metric
from fersearch.errors import FersearchError, PluginError
from fersearch.observer import StudyObserver

Component = Architecture | Dataset | Metric | StudyObserver
KINDS: dict[type, str] = {
    Architecture: "architecture",
    Dataset: "dataset",
    Metric: "metric",
    StudyObserver: "observer",
}


@contextmanager
def blaming(component: Component) -> Iterator[None]:
    """Convert any exception of a component's code into a PluginError that names it and its file.

    FersearchErrors pass unchanged, and so do errors of the machine: missing file, full disk, no memory.
    """
    try:
        yield
    except (FersearchError, OSError, MemoryError):
        raise
    except Exception as error:
        raise PluginError(f"{title(component)} failed: {type(error).__name__}: {error}", _advice(component)) from error


def score(metric: Metric, evaluation: Evaluation) -> float:
    """Return a metric's value, NaN where it is undefined.

    Raises:
        PluginError: it fails, or returns something that is not a number.
    """
    with blaming(metric):
        value = metric.compute(evaluation)
    try:
        return float(value)
    except (TypeError, ValueError):
        shown = repr(value)[:80]
        raise PluginError(f"{title(metric)} gives {shown}, which is not a number", _advice(metric)) from None


def title(component: Component) -> str:
    """Return a component's title for errors: its kind, its name, and the plugin that provides it."""
    kind = next(kind for base, kind in KINDS.items() if isinstance(component, base))
    return f"{kind} '{component.name}' of plugin {_place(component)}"


def _place(component: Component) -> str:
    module = type(component).__module__
    file = getattr(sys.modules.get(module), "__file__", None)
    return str(file) if file and module.startswith("fersearch_plugin_") else module


def _advice(component: Component) -> str:
    place = _place(component)
    return f"check it with: fersearch plugin check {place}" if place.endswith(".py") else "report it to its author"
