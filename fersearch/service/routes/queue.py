"""Routes for the queue, the owners that share the slots, and the tokens."""

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Request
from pydantic import BaseModel, Field

from fersearch import api
from fersearch.api import records
from fersearch.service.conditional import ConditionalRoute
from fersearch.service.context import service_of
from fersearch.service.problems import RESPONSES
from fersearch.service.security import Admin, Reader

router = APIRouter(tags=["service"], responses=RESPONSES, route_class=ConditionalRoute)


class WaitingRerun(BaseModel):
    """A rerun of a trial that runs or waits for a slot."""

    study: str
    trial: int
    owner: str
    slot: int | None = Field(description="Its slot; null while it waits")


class Slots(BaseModel):
    """The slots of the service, and the studies in its queue."""

    slots: int
    queue: list[records.QueueEntry]
    reruns: list[WaitingRerun]


class OwnerChange(BaseModel):
    """An owner's new weight and limit."""

    weight: float = Field(1.0, gt=0, lt=1e6, allow_inf_nan=False)
    max_slots: int | None = Field(None, ge=0, le=2**31 - 1)


class TokenRequest(BaseModel):
    """The token to create."""

    name: str = Field(min_length=1, max_length=100, pattern=r"^[\w.@ -]+$")
    role: Literal["read", "run", "admin"] = "run"
    owner: str = Field("", max_length=100, pattern=r"^[\w.@ -]*$")


@router.get("/queue")
def queue(request: Request, _: Reader) -> Slots:
    """Return the queue, and which study uses which slot."""
    service = service_of(request)
    assigned = service.supervisor.assigned
    entries = [
        records.QueueEntry.of(one, place, assigned.get(one.study_id, one.claimed))
        for place, one in enumerate(api.list_queue(service.settings.storage), 1)
    ]
    reruns = [
        WaitingRerun(study=one.study, trial=one.trial, owner=one.owner, slot=one.slot)
        for one in service.supervisor.reservations.all()
    ]
    return Slots(slots=service.supervisor.slots, queue=entries, reruns=reruns)


@router.get("/owners")
def owners(request: Request, _: Reader) -> list[records.Owner]:
    """List the owners that have their own weight or limit."""
    return [records.Owner.of(one) for one in api.list_owners(service_of(request).settings.storage).values()]


@router.get("/disk")
def disk(request: Request, _: Reader) -> list[records.Disk]:
    """Return each owner's disk use: checkpoints, and the models exported from these."""
    used = api.disk_by_owner(service_of(request).settings.storage)
    return [records.Disk.of(owner, use) for owner, use in used.items()]


@router.put("/owners/{name}")
def set_owner(request: Request, name: str, _: Admin, change: Annotated[OwnerChange, Body()]) -> records.Owner:
    """Set an owner's weight and limit; slots move as trials end."""
    service = service_of(request)
    owner = api.set_owner(name, change.weight, change.max_slots, service.settings.storage)
    service.supervisor.wake()
    return records.Owner.of(owner)


@router.get("/tokens")
def tokens(request: Request, _: Admin) -> list[records.Token]:
    """List the tokens, without their text."""
    return [records.Token.of(one) for one in api.list_tokens(service_of(request).settings.storage)]


@router.post("/tokens", status_code=201)
def new_token(request: Request, _: Admin, token_request: Annotated[TokenRequest, Body()]) -> records.NewToken:
    """Create a token; its text is returned only this once."""
    storage = service_of(request).settings.storage
    secret = api.new_token(token_request.name, token_request.role, token_request.owner, storage)
    return records.NewToken(name=token_request.name, role=token_request.role, token=secret)


@router.delete("/tokens/{name}", status_code=204)
def revoke_token(request: Request, name: str, _: Admin) -> None:
    """Revoke a token and the sessions that it opened."""
    api.revoke_token(name, service_of(request).settings.storage)


@router.get("/me")
def me(token: Reader) -> records.Token:
    """Return the token of the request: its name, owner and role."""
    return records.Token.of(token)
