"""Routes for datasets, plugins, and the schema of a study."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from fersearch import api
from fersearch.api import records
from fersearch.service import jobs
from fersearch.service.conditional import ConditionalRoute
from fersearch.service.context import service_of
from fersearch.service.paths import check_study
from fersearch.service.problems import RESPONSES, ProblemError
from fersearch.service.security import Reader

router = APIRouter(tags=["catalogue"], responses=RESPONSES, route_class=ConditionalRoute)
Data = Annotated[str | None, Query(description="Where its files are, below a data root; needs the role run")]
Options = Annotated[list[str], Query(alias="option", description="`NAME=VALUE` of the dataset; needs the role run")]
Target = Annotated[str | None, Query(description="The training target, as majority")]
Classes = Annotated[int, Query(ge=2, le=10_000, description="Classes to count an architecture's parameters for")]
Channels = Annotated[int, Query(ge=1, le=3, description="1 grey, 3 colour")]
ImageSize = Annotated[int, Query(ge=8, le=1024, description="Image side in pixels")]
Settings = Annotated[list[str], Query(alias="set", description="`NAME=VALUE`: a configuration other than the first")]
Layers = Annotated[bool, Query(description="Also an architecture's layers")]


@router.get("/datasets")
def list_datasets(_: Reader) -> list[records.Dataset]:
    """List the datasets, and which are at hand."""
    return [records.Dataset.of(one) for one in api.list_datasets()]


@router.get("/datasets/{name}")
async def show_dataset(
    request: Request,
    name: str,
    token: Reader,
    data: Data = None,
    options: Options = [],  # noqa: B006
    target: Target = None,
) -> records.DatasetDetail:
    """Show what a dataset holds: its classes by split. Data and options may make another prepared copy of it."""
    service = service_of(request)
    parsed_options = _pairs("option", options)
    if (data or parsed_options) and not token.may("run"):
        raise ProblemError(403, f"token '{token.name}' may not do this", "data and options need the role run")
    described = {"name": name, "options": parsed_options, **({"data": data} if data else {})}
    check_study({"dataset": described}, service.settings.data_roots, detail=f"dataset '{name}' cannot be shown")
    job_options = {"name": name, "data": data, "options": parsed_options, "target": target}
    return records.DatasetDetail.model_validate(await jobs.run("show_dataset", service.settings.storage, **job_options))


@router.get("/plugins")
def list_plugins(_: Reader) -> list[records.Plugin]:
    """List the architectures, datasets, metrics and observers."""
    return [records.Plugin.of(one) for one in api.list_plugins()[0]]


@router.get("/plugins/{name}")
async def show_plugin(
    request: Request,
    name: str,
    _: Reader,
    classes: Classes = 8,
    channels: Channels = 1,
    image_size: ImageSize = 48,
    settings: Settings = [],  # noqa: B006
    layers: Layers = False,
) -> records.PluginDetail:
    """Show a component: what it adds to the space, and an architecture's parameters."""
    configuration = {"classes": classes, "channels": channels, "image_size": image_size, "layers": layers}
    job_options = {"name": name, "settings": _pairs("set", settings), **configuration}
    storage = service_of(request).settings.storage
    return records.PluginDetail.model_validate(await jobs.run("show_plugin", storage, **job_options))


@router.get("/schema")
def schema(_: Reader) -> dict[str, Any]:
    """Return the JSON Schema of a study, for forms."""
    return api.study_schema()


def _pairs(query: str, texts: list[str]) -> dict[str, str]:
    """Parse `NAME=VALUE` texts. Raise ProblemError for others."""
    for text in texts:
        if not text.partition("=")[1]:
            raise ProblemError(422, f"{query}: '{text[:100]}' is not NAME=VALUE", "write it as train=200")
    return {name: value for name, _, value in (text.partition("=") for text in texts)}
