"""Verbs for the components of a service: datasets, plugins, the schema of a study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fersearch.api.datasets import DatasetRow, DatasetView, Progress
from fersearch.api.plugins import PluginRow, PluginView
from fersearch.api.remote.looking import LookingVerbs
from fersearch.errors import UsageError


class CatalogueVerbs(LookingVerbs):
    """The verbs of `fersearch.api` for components, with the same arguments as the local ones."""

    def list_datasets(self, plugins: tuple[Path, ...] = ()) -> list[DatasetRow]:
        """Return the datasets of the service, and where it has their files."""
        refuse_plugins(plugins)
        rows = self._service.get("datasets")
        return [DatasetRow(row["name"], row["summary"], row["licence"], row["found"]) for row in rows]

    def show_dataset(
        self,
        name: str,
        *,
        data: Path | None = None,
        options: Mapping[str, str] | None = None,
        target: str | None = None,
        progress: Progress | None = None,  # noqa: ARG002 - the service responds once all is prepared
        plugins: tuple[Path, ...] = (),
    ) -> DatasetView:
        """Return the counts of a dataset of the service; `data` is a path on its machine."""
        refuse_plugins(plugins)
        query = {"data": str(data) if data else None, "option": _texts(options), "target": target}
        record = self._service.get(f"datasets/{quote(name, safe='')}", **_without_none(query))
        same = ("name", "summary", "licence", "source", "options", "target", "splits")
        more = {"findings": tuple(record["findings"]), "sources": record.get("sources", {})}
        return DatasetView(**{key: record[key] for key in same}, classes=tuple(record["classes"]), **more)

    def list_plugins(self, plugins: tuple[Path, ...] = ()) -> tuple[list[PluginRow], dict[str, str]]:
        """Return the components of the service."""
        refuse_plugins(plugins)
        rows = self._service.get("plugins")
        return [PluginRow(row["kind"], row["name"], row["module"], row["summary"]) for row in rows], {}

    def show_plugin(
        self,
        name: str,
        *,
        classes: int = 8,
        channels: int = 1,
        image_size: int = 48,
        settings: Mapping[str, str] | None = None,
        layers: bool = False,
        plugins: tuple[Path, ...] = (),
    ) -> PluginView:
        """Return one component of the service."""
        refuse_plugins(plugins)
        query = {"classes": classes, "channels": channels, "image_size": image_size, "layers": layers}
        record = self._service.get(f"plugins/{quote(name, safe='')}", **query, set=_texts(settings))
        same = ("kind", "name", "module", "summary", "space", "details")
        view = {key: record[key] for key in same}
        return PluginView(**view, parameters=record.get("parameters"), layers=_layers(record.get("layers", ())))

    def study_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a study file as the service reads it."""
        schema: dict[str, Any] = self._service.get("schema")
        return schema


def refuse_plugins(plugins: Sequence[Path]) -> None:
    """Raise UsageError for plugin files, which no service takes."""
    if plugins:
        raise UsageError("--plugin was given with --server, which takes no code", "install it where the service runs")


def _texts(pairs: Mapping[str, str] | None) -> list[str]:
    return [f"{name}={value}" for name, value in (pairs or {}).items()]


def _without_none(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def _layers(records: Sequence[Mapping[str, Any]]) -> list[Any]:
    if not records:
        return []
    from fersearch.training.summary import Layer  # here, because it imports torch

    return [Layer(**{**one, "shape": tuple(one["shape"])}) for one in records]
