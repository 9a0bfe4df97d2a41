"""Reruns of trials, as streams of events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from fersearch import api
from fersearch.api.records.service import RerunRequest
from fersearch.service import reruns
from fersearch.service.context import service_of
from fersearch.service.paths import check_study
from fersearch.service.problems import RESPONSES, ProblemError
from fersearch.service.security import Runner

router = APIRouter(prefix="/studies", tags=["studies"], responses=RESPONSES)


def _checked(
    request: Request,
    name: str,
    number: int,
    _: Runner,
    body: RerunRequest = RerunRequest(),  # noqa: B008
) -> RerunRequest:
    """Return a request, checked before the stream begins: the trial can be trained again here, and in this way."""
    service = service_of(request)
    trial = api.show_trial(name, number, service.settings.storage).trial
    if not trial.state.ended:
        raise ProblemError(
            422, f"trial {number} is {trial.state.value}", f"wait until it has ended: study resume {name}"
        )
    if service.settings.engine == "ray":
        hint = "run fersearch trial rerun STUDY N on a machine that reaches the database"
        raise ProblemError(422, "a service that runs studies through Ray cannot rerun trials", hint)
    if body.data is not None:
        detail = f"trial {number} cannot be trained again with this data"
        check_study({"data": body.data}, service.settings.data_roots, detail=detail)
    if body.device is not None and body.device not in (known := reruns.devices_of(service.settings)):
        hint = f"leave it out, or choose of: {', '.join(known)}"
        raise ProblemError(422, f"device '{body.device[:100]}' is not one of the service's slots", hint)
    return body


@router.post("/{name:path}/trials/{number}/rerun", response_class=EventSourceResponse)
async def rerun(
    request: Request,
    name: str,
    number: int,
    token: Runner,
    body: Annotated[RerunRequest, Depends(_checked)],
) -> AsyncIterator[ServerSentEvent]:
    """Train a trial again in a slot of the service and compare; the study's record stays as it is.

    Events, each with JSON: `slot` once there is one, `epoch`, and last `result` (the record of `trial rerun --json`)
    or `problem`. With `keep` the model comes before the result: `model` (`digest`, `bytes` and `values`), then its
    safetensors file in pieces of base64, each as `weights`. Disconnecting cancels the rerun.
    """
    async for kind, data in reruns.events(service_of(request), token.owner, name, number, body):
        yield ServerSentEvent(event=kind, data=data)
