"""Reruns of trials, as streams of events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from fersearch import api
from fersearch.api.records.service import RerunRequest
from fersearch.service import reruns
from fersearch.service.context import service_of
from fersearch.service.problems import RESPONSES, ProblemError
from fersearch.service.security import Runner

router = APIRouter(prefix="/studies", tags=["studies"], responses=RESPONSES)


def _trainable(request: Request, name: str, number: int, _: Runner) -> None:
    """Refuse a trial that cannot be trained again here, before the stream begins."""
    service = service_of(request)
    trial = api.show_trial(name, number, service.settings.storage).trial
    if not trial.state.ended:
        raise ProblemError(
            422, f"trial {number} is {trial.state.value}", f"wait until it has ended: study resume {name}"
        )
    if service.settings.engine == "ray":
        hint = "run fersearch trial rerun STUDY N on a machine that reaches the database"
        raise ProblemError(422, "a service that runs studies through Ray cannot rerun trials", hint)


@router.post("/{name:path}/trials/{number}/rerun", response_class=EventSourceResponse)
async def rerun(
    request: Request,
    name: str,
    number: int,
    token: Runner,
    _: Annotated[None, Depends(_trainable)],
    body: RerunRequest = RerunRequest(seed=None),  # noqa: B008
) -> AsyncIterator[ServerSentEvent]:
    """Train a trial again in a slot of the service and compare; the study's record stays as it is.

    Events, each with JSON: `slot` once there is one, `epoch`, and last `result` (the record of `trial rerun --json`)
    or `problem`. Disconnecting cancels the rerun.
    """
    async for kind, data in reruns.events(service_of(request), token.owner, name, number, body.seed):
        yield ServerSentEvent(event=kind, data=data)
