"""Routes for reports, comparisons, sweeps, and exports of trials."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from fersearch.api import records
from fersearch.service import jobs
from fersearch.service.conditional import ConditionalRoute
from fersearch.service.context import service_of
from fersearch.service.problems import RESPONSES
from fersearch.service.security import Reader

router = APIRouter(tags=["reports"], responses=RESPONSES, route_class=ConditionalRoute)
ZIP = "application/zip"
TEXTS = {"csv": "text/csv", "json": "application/json"}
Trials = Annotated[int, Query(description="Number of best trials whose learning curves are drawn; 1 or more")]
Studies = Annotated[
    list[str], Query(alias="study", min_length=1, description="Names of studies; `NAME/*` means all that match")
]
Metrics = Annotated[list[str], Query(alias="metric", description="Metrics to compare by, the first ranks")]
By = Annotated[str, Query(description="`trial`: each study's best trial; `front`: all of its front")]
Standing = Annotated[list[str], Query(alias="trial", description="`STUDY=N`: the trial that stands for a study")]
Factor = Annotated[str, Query(description="The parameter by whose values trials are grouped")]
ForPeople = Annotated[bool, Query(description="Also the text for people: lines and tables")]
Format = Annotated[str, Query(description="`csv`: a row per trial; `json`: also attempts and epochs")]


def _files(description: str, **content: Any) -> dict[str, Any]:
    """Return the OpenAPI responses of a route that sends a file: a schema by media type."""
    described = {"description": description, "content": {kind: {"schema": one} for kind, one in content.items()}}
    return {"response_class": StreamingResponse, "responses": {200: described}}


ARCHIVE = _files("A zip file: index.html, plots/ and tables/", **{ZIP: {"type": "string", "format": "binary"}})
TRIALS = _files("The trials as text", **{"text/csv": {"type": "string"}, "application/json": {"type": "object"}})


@router.get("/studies/{name:path}/report", response_class=HTMLResponse)
async def report(request: Request, name: str, _: Reader, trials: Trials = 5) -> HTMLResponse:
    """Return the study's report, one HTML page."""
    return HTMLResponse(await jobs.run("report", _storage(request), study=name, trials=trials))


@router.get("/studies/{name:path}/report.zip", **ARCHIVE)
async def report_archive(request: Request, name: str, _: Reader, trials: Trials = 5) -> StreamingResponse:
    """Return the study's report as a folder: the page, its plots as SVG and PNG, tables for a paper."""
    job_options = {"study": name, "trials": trials}
    return await jobs.file("report_archive", _storage(request), ZIP, "report.zip", **job_options)


@router.get("/studies/{name:path}/sweep")
async def sweep(
    request: Request,
    name: str,
    _: Reader,
    factor: Factor,
    metrics: Metrics = [],  # noqa: B006
    shown: ForPeople = False,
) -> records.Sweep:
    """Group the complete trials of a study by the values of a parameter."""
    job_options = {"study": name, "factor": factor, "metrics": metrics, "shown": shown}
    return records.Sweep.model_validate(await jobs.run("sweep", _storage(request), **job_options))


@router.get("/studies/{name:path}/sweep.zip", **ARCHIVE)
async def sweep_archive(
    request: Request,
    name: str,
    _: Reader,
    factor: Factor,
    metrics: Metrics = [],  # noqa: B006
) -> StreamingResponse:
    """Return a sweep as a folder: the page, its plots, tables for a paper."""
    job_options = {"study": name, "factor": factor, "metrics": metrics}
    return await jobs.file("sweep_archive", _storage(request), ZIP, "sweep.zip", **job_options)


@router.get("/studies/{name:path}/export", **TRIALS)
async def export(request: Request, name: str, _: Reader, format: Format = "csv") -> StreamingResponse:
    """Return the study's trials as text."""
    job_options = {"study": name, "format": format}
    media_type = TEXTS.get(format, "text/plain")
    return await jobs.file("study_export", _storage(request), media_type, f"trials.{format}", **job_options)


@router.get("/comparison")
async def compare(
    request: Request,
    _: Reader,
    studies: Studies,
    metrics: Metrics = [],  # noqa: B006
    by: By = "trial",
    trials: Standing = [],  # noqa: B006
    shown: ForPeople = False,
) -> records.Comparison:
    """Compare studies: scores, time, memory, and paired tests over folds or repeats."""
    job_options = {"studies": studies, "metrics": metrics, "by": by, "trials": trials, "shown": shown}
    return records.Comparison.model_validate(await jobs.run("compare", _storage(request), **job_options))


@router.get("/comparison.zip", **ARCHIVE)
async def comparison_archive(
    request: Request,
    _: Reader,
    studies: Studies,
    metrics: Metrics = [],  # noqa: B006
    by: By = "trial",
    trials: Standing = [],  # noqa: B006
) -> StreamingResponse:
    """Return a comparison as a folder: the page, its plots, tables for a paper."""
    job_options = {"studies": studies, "metrics": metrics, "by": by, "trials": trials}
    return await jobs.file("comparison_archive", _storage(request), ZIP, "comparison.zip", **job_options)


def _storage(request: Request) -> str | None:
    return service_of(request).settings.storage
