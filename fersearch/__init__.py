"""fersearch: hyperparameter search for facial expression recognition, with plugins."""

from importlib.metadata import PackageNotFoundError, version

from fersearch.components import Architecture, Dataset, Evaluation, Labels, Metric, Raw, Task
from fersearch.errors import DataError, FersearchError, UsageError
from fersearch.hookspecs import hookimpl
from fersearch.space import Choice, Float, Int

try:
    __version__ = version("fersearch")
except PackageNotFoundError:
    __version__ = "0+source"

__all__ = [
    "Architecture",
    "Choice",
    "DataError",
    "Dataset",
    "Evaluation",
    "FersearchError",
    "Float",
    "Int",
    "Labels",
    "Metric",
    "Raw",
    "Task",
    "UsageError",
    "hookimpl",
]
