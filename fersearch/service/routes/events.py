"""The route for server-sent events: one stream for all studies."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from fersearch.api import records
from fersearch.service.context import service_of
from fersearch.service.problems import RESPONSES
from fersearch.service.security import Reader
from fersearch.service.stream import parse_cursor

router = APIRouter(tags=["events"], responses=RESPONSES)
LastEventId = Annotated[str | None, Header(description="The id of the last event received: a cursor per study")]
After = Annotated[str | None, Query(description="The same, for clients that cannot send the header")]


@router.get("/events", response_class=EventSourceResponse)
async def events(
    request: Request, _: Reader, last_event_id: LastEventId = None, after: After = None
) -> AsyncIterator[ServerSentEvent]:
    """Stream the events of all studies; with a cursor, missed events come first."""
    cursor = parse_cursor(last_event_id or after)
    async for position, event in service_of(request).stream.listen(cursor):
        yield ServerSentEvent(data=records.plain(records.Event.of(event)), event=event.kind, id=position)
