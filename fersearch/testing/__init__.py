"""Contract tests that plugin authors inherit in their tests: one suite for each kind of component."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fersearch.testing.architectures import ArchitectureSuite
    from fersearch.testing.datasets import DatasetSuite
    from fersearch.testing.metrics import MetricSuite
    from fersearch.testing.observers import ObserverSuite

__all__ = ["ArchitectureSuite", "DatasetSuite", "MetricSuite", "ObserverSuite"]

_HOMES = {
    "ArchitectureSuite": "architectures",
    "DatasetSuite": "datasets",
    "MetricSuite": "metrics",
    "ObserverSuite": "observers",
}


def __getattr__(name: str) -> Any:
    """Import a suite at first use: one for datasets needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
