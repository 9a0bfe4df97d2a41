"""fersearch: hyperparameter search for facial expression recognition, with plugins."""

from typing import Any

from fersearch.components import Architecture, Dataset, Evaluation, Labels, Metric, Raw, Task
from fersearch.errors import DataError, FersearchError, UsageError
from fersearch.hookspecs import hookimpl
from fersearch.observer import ObservedStudy, StudyObserver
from fersearch.space import Choice, Float, Int
from fersearch.trial import Epoch, Trial

__all__ = [
    "Architecture",
    "Choice",
    "DataError",
    "Dataset",
    "Epoch",
    "Evaluation",
    "FersearchError",
    "Float",
    "Int",
    "Labels",
    "Metric",
    "ObservedStudy",
    "Raw",
    "StudyObserver",
    "Task",
    "Trial",
    "UsageError",
    "hookimpl",
]


def __getattr__(name: str) -> Any:
    """Return the version, looked up on first access."""
    if name != "__version__":
        raise AttributeError(f"module 'fersearch' has no attribute '{name}'")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("fersearch")
    except PackageNotFoundError:
        return "0+source"
