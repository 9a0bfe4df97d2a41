"""What studies are made of: datasets, plugins, and the schema of a study."""

from typing import Any

from fastapi import APIRouter, Request

from fersearch import api
from fersearch.api import records
from fersearch.service import jobs
from fersearch.service.conditional import ConditionalRoute
from fersearch.service.context import service_of
from fersearch.service.problems import RESPONSES
from fersearch.service.security import Reader

router = APIRouter(tags=["catalogue"], responses=RESPONSES, route_class=ConditionalRoute)


@router.get("/datasets")
def list_datasets(_: Reader) -> list[records.Dataset]:
    """List the datasets, and which are at hand."""
    return [records.Dataset.of(one) for one in api.list_datasets()]


@router.get("/datasets/{name}")
async def show_dataset(request: Request, name: str, _: Reader) -> records.DatasetDetail:
    """Show what a dataset that is at hand holds: its classes by split."""
    storage = service_of(request).settings.storage
    return records.DatasetDetail.model_validate(await jobs.run("show_dataset", storage, name=name))


@router.get("/plugins")
def list_plugins(_: Reader) -> list[records.Plugin]:
    """List the architectures, datasets, metrics and observers."""
    return [records.Plugin.of(one) for one in api.list_plugins()[0]]


@router.get("/plugins/{name}")
async def show_plugin(request: Request, name: str, _: Reader) -> records.PluginDetail:
    """Show a component: what it adds to the space, and an architecture's parameters."""
    storage = service_of(request).settings.storage
    return records.PluginDetail.model_validate(await jobs.run("show_plugin", storage, name=name))


@router.get("/schema")
def schema(_: Reader) -> dict[str, Any]:
    """Return the JSON Schema of a study, for forms."""
    return api.study_schema()
