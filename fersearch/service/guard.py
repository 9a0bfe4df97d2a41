"""Middleware before every route: refuse foreign origins and hosts, limit bodies, set headers and the path's prefix."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fersearch.service.problems import answer
from fersearch.service.security import HEADERS, Gate


class Guard:
    """ASGI middleware; bodies are counted while they arrive, because a request may not state its length."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["root_path"] = self._gate.settings.root_path
        send = _with_headers(send)
        if refusal := self._gate.refuse(Request(scope)):
            await refusal(scope, receive, send)
            return
        body = _BoundedBody(receive, self._gate.settings.max_upload)
        with suppress(_TooLargeError):
            await self._app(scope, body.receive, body.unless_too_large(send))
        if body.too_large:
            await answer(413, f"the request has more than {body.most:,} bytes", "send less")(scope, receive, send)


class _TooLargeError(Exception):
    """A request's body exceeds the limit."""


class _BoundedBody:
    """Receives a body and aborts a request that exceeds the limit, even if its route catches the error."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self.most = receive, most
        self._count = 0

    @property
    def too_large(self) -> bool:
        """Whether the body exceeded the limit."""
        return self._count > self.most

    async def receive(self) -> Message:
        """Return the next part of the body."""
        message = await self._receive()
        self._count += len(message.get("body", b""))
        if self.too_large:
            raise _TooLargeError
        return message

    def unless_too_large(self, send: Send) -> Send:
        """Return a sender that drops everything once the body was too large: the refusal is sent afterwards."""

        async def sending(message: Message) -> None:
            if not self.too_large:
                await send(message)

        return sending


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-cache")
        await send(message)

    return sending
