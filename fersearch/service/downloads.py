"""Download files, whole or by byte ranges; an invalid range is reported as a problem."""

from typing import Annotated, Any

from fastapi import Header
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from fersearch.service.problems import RESPONSES, answer, problem_response

MEDIA_TYPE = "application/octet-stream"
Range = Annotated[str | None, Header(alias="Range", description="Range of bytes, as bytes=0-1023; default all")]
_BYTES = {"content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
DOWNLOADS: dict[int | str, dict[str, Any]] = {
    **RESPONSES,
    200: {"description": "The file", **_BYTES},
    206: {"description": "The requested bytes", **_BYTES},
    416: problem_response(416),
}
"""The responses of a route that sends a file, for OpenAPI."""


class Download(FileResponse):
    """A response that sends a file."""

    media_type = MEDIA_TYPE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or a problem about the requested range."""
        refused: dict[str, Any] = {}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                refused.update(message)
            elif not refused:
                await send(message)

        await super().__call__(scope, receive, sending)
        if refused:
            headers = {name.decode(): value.decode() for name, value in refused["headers"] if name == b"content-range"}
            problem = "the file has no such range of bytes", "ask for bytes=FIRST-LAST, or leave Range out"
            await answer(refused["status"], *problem, headers=headers)(scope, receive, send)
