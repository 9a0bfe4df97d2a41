"""Conditional requests: ETag and If-None-Match for every record, so that known responses are not sent again."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from fastapi import Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.routing import APIRoute

TAG = "ETag"


class ConditionalRoute(APIRoute):
    """A route whose JSON responses to GET have an ETag; 304 if the client has that version."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, which compares its response with the client's ETags."""
        handler = super().get_route_handler()

        async def conditional(request: Request) -> Response:
            response = await handler(request)
            is_file = isinstance(response, FileResponse | StreamingResponse)
            is_record = response.media_type == "application/json" and not is_file
            if request.method != "GET" or response.status_code != 200 or not is_record:
                return response
            if TAG not in response.headers:
                response.headers[TAG] = f'W/"{hashlib.sha256(response.body).hexdigest()[:32]}"'
            is_known = known_tags(request) & {response.headers[TAG], "*"}
            return unchanged(response.headers) if is_known else response

        return conditional


def known_tags(request: Request) -> set[str]:
    """Return the ETags in If-None-Match; `*` matches any."""
    return {one.strip() for one in request.headers.get("if-none-match", "").split(",")}


def unchanged(headers: Mapping[str, str]) -> Response:
    """Return a 304 response with the headers of the full one."""
    remaining = {name: value for name, value in headers.items() if name not in ("content-length", "content-type")}
    return Response(status_code=304, headers=remaining)
