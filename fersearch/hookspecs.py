"""The plugin interface: four hooks, one sentence each."""

from collections.abc import Callable

import pluggy

from fersearch.components import Architecture, Dataset, Metric
from fersearch.observer import StudyObserver

hookspec = pluggy.HookspecMarker("fersearch")
hookimpl = pluggy.HookimplMarker("fersearch")


@hookspec
def register_architectures(register: Callable[[Architecture], None]) -> None:
    """Call `register` with an instance of each architecture this plugin brings."""


@hookspec
def register_datasets(register: Callable[[Dataset], None]) -> None:
    """Call `register` with an instance of each dataset this plugin brings."""


@hookspec
def register_metrics(register: Callable[[Metric], None]) -> None:
    """Call `register` with an instance of each metric this plugin brings."""


@hookspec
def register_observers(register: Callable[[StudyObserver], None]) -> None:
    """Call `register` with an instance of each observer of studies this plugin brings."""
