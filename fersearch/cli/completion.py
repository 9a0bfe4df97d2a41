"""Shell completion of study, architecture, dataset and observer names; errors yield no completions."""

from collections.abc import Callable
from typing import Any


def studies(ctx: Any, incomplete: str) -> list[str]:
    """Return the names of studies that start with `incomplete`, from the database that the command line names."""
    from fersearch import api

    storage = ctx.params.get("storage")
    return _beginning(incomplete, lambda: [study.name for study in api.list_studies(storage)])


def architectures(incomplete: str) -> list[str]:
    """Return the names of architectures that start with `incomplete`."""
    return _beginning(incomplete, lambda: _components("architecture"))


def datasets(incomplete: str) -> list[str]:
    """Return the names of datasets that start with `incomplete`."""
    return _beginning(incomplete, lambda: _components("dataset"))


def observers(incomplete: str) -> list[str]:
    """Return the names of observers that start with `incomplete`."""
    return _beginning(incomplete, lambda: _components("observer"))


def components(incomplete: str) -> list[str]:
    """Return the names of components of any kind that start with `incomplete`."""
    return _beginning(incomplete, lambda: _components("architecture", "dataset", "metric", "observer"))


def _components(*kinds: str) -> list[str]:
    from fersearch import api

    return [row.name for row in api.list_plugins()[0] if row.kind in kinds]


def _beginning(incomplete: str, names: Callable[[], list[str]]) -> list[str]:
    try:
        return [name for name in names() if name.startswith(incomplete)]
    except Exception:
        return []
