"""Answers that a client has already are not sent again: ETag and If-None-Match for every record."""

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.responses import FileResponse
from fastapi.routing import APIRoute


class ConditionalRoute(APIRoute):
    """A route whose JSON answers to GET have an ETag; 304 for whoever has that one."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, its answer compared with what the client has."""
        handler = super().get_route_handler()

        async def conditional(request: Request) -> Response:
            response = await handler(request)
            is_record = response.media_type == "application/json" and not isinstance(response, FileResponse)
            if request.method != "GET" or response.status_code != 200 or not is_record:
                return response
            tag = f'W/"{hashlib.sha256(response.body).hexdigest()[:32]}"'
            response.headers["ETag"] = tag
            known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
            if tag not in known and "*" not in known:
                return response
            kept = {
                name: value
                for name, value in response.headers.items()
                if name not in ("content-length", "content-type")
            }
            return Response(status_code=304, headers=kept)

        return conditional
