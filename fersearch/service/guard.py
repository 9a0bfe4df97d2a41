"""What stands before every route: foreign pages and names are refused, and each answer has the headers of safety."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fersearch.service.problems import ProblemError
from fersearch.service.security import HEADERS, Gate


class Guard:
    """ASGI middleware; bodies are counted as they come, for a request may not say how long it is."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app, self._gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        refusal = self._gate.refuse(Request(scope))
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        await self._app(scope, self._bounded(receive), guarded)

    def _bounded(self, receive: Receive) -> Receive:
        """Return a receiver that ends a body which is larger than a request may be."""
        most, count = self._gate.settings.max_upload, 0

        async def bounded() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > most:
                raise ProblemError(413, f"the request has more than {most:,} bytes", "send less at once")
            return message

        return bounded
