"""Routes for studies: create, list, show, queue, pause, stop, delete; their trials, fronts and importances."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse

from fersearch import api
from fersearch.api import records
from fersearch.api.records.service import EnqueueRequest, ExtendRequest, FinishRequest, RunRequest
from fersearch.service import jobs, observers, trial_logs
from fersearch.service.conditional import ConditionalRoute
from fersearch.service.context import Service, service_of
from fersearch.service.paging import Limit, Offset, headers_of, page
from fersearch.service.paths import check_study
from fersearch.service.problems import RESPONSES, ProblemError
from fersearch.service.response_cache import Basis, Page
from fersearch.service.security import Reader, Runner
from fersearch.store.tokens import Token
from fersearch.study_front import may_count

router = APIRouter(prefix="/studies", tags=["studies"], responses=RESPONSES, route_class=ConditionalRoute)
Where = Annotated[list[str], Query(description="Bounds on metrics, as peak_memory_mb<=500")]
All = Annotated[bool, Query(description="Also the studies finish/NAME")]
RUN_BODY = {"requestBody": {"content": {"application/json": {"schema": RunRequest.model_json_schema()}}}}


def _study_body() -> dict[str, Any]:
    """Return the schema of a study in a request: a study file's, and whether to run it."""
    schema = api.study_schema()
    definitions = schema.pop("$defs", {})
    schema.pop("$schema", None)
    schema["properties"].pop("plugins", None)
    schema["properties"]["run"] = {"type": "boolean", "default": True, "description": "Queue it at once"}
    schema["properties"]["observe"] = {
        "type": "array",
        "items": {"type": "string"},
        "description": "Names of observers to report to, of those that the service offers",
    }
    return {"requestBody": {"content": {"application/json": {"schema": {**schema, "$defs": definitions}}}}}


@router.get("")
def list_studies(
    request: Request, response: Response, _: Reader, limit: Limit = 100, offset: Offset = 0, all: All = False
) -> list[records.Study]:
    """List the studies, oldest first; with `all` also those that trained the finalists of others."""
    studies = api.list_studies(_storage(request), all=all)
    return [records.Study.of(one) for one in page(request, response, studies, limit, offset)]


@router.post("", status_code=201, openapi_extra=_study_body())
async def create_study(
    request: Request, token: Runner, body: Annotated[dict[str, Any], Body()]
) -> list[records.StudyDetail]:
    """Create the studies that a study file's data describe, and queue them unless `run` is false."""
    service = service_of(request)
    run, observe = _read_submission(service, body)
    names = await jobs.run("create", service.settings.storage, body=body, owner=token.owner, observe=observe)
    for name in names if run else ():
        api.queue_study(name, service.settings.storage)
    service.supervisor.wake()
    return [records.StudyDetail.of_view(api.show_study(name, service.settings.storage)) for name in names]


@router.post("/check", openapi_extra=_study_body())
async def check_study_file(
    request: Request, _: Runner, body: Annotated[dict[str, Any], Body()]
) -> list[records.PlannedStudy]:
    """Check a study file's data, all its mistakes at once, and return what its studies would be; nothing is stored."""
    _read_submission(service_of(request), body)
    plans = await jobs.run("check", _storage(request), body=body)
    return [records.PlannedStudy.model_validate(one) for one in plans]


def _read_submission(service: Service, body: dict[str, Any]) -> tuple[bool, list[str]]:
    """Remove `run` and `observe` from a study in a request, leaving study-file data, and return both.

    Raises:
        ProblemError: 422 if it names code, paths or observers that a request must not name.
    """
    run = body.pop("run", True)
    if not isinstance(run, bool):
        raise ProblemError(422, "run: is not true or false", mistakes=("run: is not true or false",))
    observe = body.pop("observe", [])
    check_study(body, service.settings.data_roots, observers.mistakes(observe, service.settings))
    return run, observe


@router.get("/{name:path}/trials", response_model=list[records.Trial])
def list_trials(request: Request, name: str, _: Reader, limit: Limit = 1000, offset: Offset = 0) -> Response:
    """List the trials of a study by number."""

    def make() -> Page:
        trials = api.list_trials(name, _storage(request))
        rows = [records.Trial.of(one) for one in trials[offset : offset + limit]]
        return Page(rows, headers_of(request, len(trials), limit, offset))

    return service_of(request).responses.of(request, ["trials", str(limit), str(offset)], make)


@router.get("/{name:path}/trials/{number}")
def show_trial(request: Request, name: str, number: int, _: Reader) -> records.TrialDetail:
    """Show a trial with its attempts, its epochs, and the pruner's verdict."""
    return records.TrialDetail.of_view(api.show_trial(name, number, _storage(request)))


@router.get("/{name:path}/front", response_model=list[records.FrontTrial])
def front(request: Request, name: str, _: Reader, where: Where = []) -> Response:  # noqa: B006
    """Return the Pareto front, best first."""

    def make() -> list[records.FrontTrial]:
        return records.FrontTrial.of_front(api.front(name, where=where, storage=_storage(request)))

    basis = partial(_basis_of_front, service_of(request), name)
    return service_of(request).responses.of(request, ["front", *where], make, basis)


def _basis_of_front(service: Service, name: str) -> Basis:
    """Return on what a front depends: the study, and its trials that are complete or were trained several times.

    An epoch of another trial changes neither; trials that did not change are the same objects.
    """
    study = service.store.study(name)
    trials = service.store.trials(study.id)
    return (study.spec, study.baseline, study.data_digest), [trial for trial in trials if may_count(trial)]


@router.get("/{name:path}/trials/{number}/chart")
def chart_trial(request: Request, name: str, number: int, _: Reader) -> records.TrialChart:
    """Return a trial's confusion matrix and class scores."""
    return records.TrialChart.of(api.chart_trial(name, number, _storage(request)))


@router.get("/{name:path}/trials/{number}/log", response_class=PlainTextResponse)
def trial_log(request: Request, name: str, number: int, _: Reader) -> str:
    """Return the end of the log of a trial's last attempt, where the service's machine has it."""
    return trial_logs.last_part(service_of(request).store, name, number)


@router.get("/{name:path}/trials/{number}/explanation", response_model=records.Explanation)
def explain_trial(request: Request, name: str, number: int, _: Reader) -> Response:
    """Explain why a trial stopped or went on: its rank at its last rung, who was ahead of it and by what."""

    def make() -> records.Explanation:
        return records.Explanation.of(api.explain_trial(name, number, _storage(request)))

    return service_of(request).responses.of(request, ["explanation", str(number)], make)


@router.get("/{name:path}/chart", response_model=records.StudyChart)
def chart_study(request: Request, name: str, _: Reader) -> Response:
    """Return a study's chart data: trials by columns, front, hypervolume, why trials were stopped."""
    service = service_of(request)

    def make() -> records.StudyChart:
        return records.StudyChart.of(service.charts.of(name, service.settings.storage))

    return service.responses.of(request, ["chart"], make)


@router.get("/{name:path}/spec")
def study_spec(request: Request, name: str, _: Reader) -> dict[str, Any]:
    """Return a study's specification as the database stores it."""
    return api.study_spec(name, _storage(request)).to_json()


@router.get("/{name:path}/importance")
async def importance(request: Request, name: str, _: Reader) -> records.Importance:
    """Return how much each parameter decides about each objective."""
    return records.Importance(**await jobs.run("importance", _storage(request), study=name))


@router.post("/{name:path}/resume", openapi_extra=RUN_BODY)
def resume(
    request: Request,
    name: str,
    token: Runner,
    body: Annotated[dict[str, Any], Body()] = {},  # noqa: B006
) -> records.StudyDetail:
    """Queue a study, or let a paused one go on."""
    service = _owned(request, name, token)
    api.queue_study(name, service.settings.storage, **body)
    service.supervisor.wake()
    return records.StudyDetail.of_view(api.show_study(name, service.settings.storage))


@router.post("/{name:path}/pause")
def pause(request: Request, name: str, token: Runner) -> records.StudyDetail:
    """Make a study save and leave its slots until it is resumed; it keeps its place in the queue."""
    service = _owned(request, name, token)
    if not api.pause_study(name, service.settings.storage):
        raise ProblemError(409, f"study '{name}' is neither running nor queued", "resume it first")
    service.supervisor.wake()
    return records.StudyDetail.of_view(api.show_study(name, service.settings.storage))


@router.post("/{name:path}/stop")
def stop(request: Request, name: str, token: Runner) -> records.StudyStop:
    """Make a study finish its epochs, save and exit, and remove it from the queue."""
    service = _owned(request, name, token)
    stopping = api.stop_study(name, service.settings.storage)
    service.supervisor.wake()
    return records.StudyStop(name=name, stopping=stopping)


@router.post("/{name:path}/finish")
async def finish(
    request: Request,
    name: str,
    token: Runner,
    body: FinishRequest = FinishRequest(epochs=None),  # noqa: B008
) -> records.FinishProgress:
    """Queue the training of a study's finalists; once they are trained, open test, once. A second time tells that."""
    service = await run_in_threadpool(_owned, request, name, token)
    check_study({"unseen": body.unseen}, service.settings.data_roots, detail="the study cannot be finished")
    storage, job_options = service.settings.storage, {"study": name, **body.model_dump()}
    begun = await jobs.run("begin_finish", storage, **job_options)
    if not begun["ended"]:
        await run_in_threadpool(api.queue_study, begun["trained"], storage)
        service.supervisor.wake()
        return records.FinishProgress(study=name, trained=begun["trained"], finish=None)
    result = records.Finish.model_validate(await jobs.run("finish", storage, **job_options))
    return records.FinishProgress(study=name, trained=result.trained, finish=result)


@router.post("/{name:path}/extend")
async def extend(request: Request, name: str, token: Runner, body: ExtendRequest) -> records.StudyDetail:
    """Change a study that does not run, and keep its trials."""
    service = await run_in_threadpool(_owned, request, name, token)
    await jobs.run("extend", service.settings.storage, study=name, change=body.model_dump())
    return records.StudyDetail.of_view(await run_in_threadpool(api.show_study, name, service.settings.storage))


@router.post("/{name:path}/enqueue", status_code=201)
def enqueue(request: Request, name: str, token: Runner, body: EnqueueRequest) -> records.StudyEnqueue:
    """Add a configuration that a study tries next, also while it runs."""
    service = _owned(request, name, token)
    return records.StudyEnqueue.of(api.enqueue_trial(name, body.settings, service.settings.storage))


@router.get("/{name:path}")
def show_study(request: Request, name: str, _: Reader) -> records.StudyDetail:
    """Show one study: its request, where it stands, what it searches."""
    return records.StudyDetail.of_view(api.show_study(name, _storage(request)))


@router.delete("/{name:path}", status_code=204)
def delete_study(request: Request, name: str, token: Runner) -> None:
    """Delete a study with its trials, logs and checkpoints; 409 while it runs."""
    api.delete_study(name, _owned(request, name, token).settings.storage)


def _storage(request: Request) -> str | None:
    return service_of(request).settings.storage


def _owned(request: Request, name: str, token: Token) -> Service:
    """Return the service if the token may change a study: its owner's, or an administrator's."""
    service = service_of(request)
    owner = api.show_study(name, service.settings.storage).owner
    if owner not in ("", token.owner) and not token.may("admin"):
        raise ProblemError(403, f"study '{name}' belongs to {owner}", "ask them, or an administrator")
    return service
