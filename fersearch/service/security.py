"""Authorise requests: tokens and sessions, the Host and the Origin of a request."""

import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.security import APIKeyCookie, HTTPBearer
from fastapi.security.http import HTTPAuthorizationCredentials
from starlette.responses import RedirectResponse

from fersearch.service.problems import ProblemError, answer
from fersearch.service.settings import ServiceSettings
from fersearch.store import Store
from fersearch.store.tokens import SESSION, Token, digest, new_secret

COOKIE = "fersearch_session"
ANYBODY = Token("anybody", "admin", "anybody")
"""The token of all requests if the service requires none."""
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}

Next = Callable[[Request], Awaitable[Response]]


class Gate:
    """Identifies the token of a request, and refuses foreign hosts and origins.

    `start_token` has the role of an administrator until the service ends, and is not stored.
    """

    def __init__(self, settings: ServiceSettings, store: Store) -> None:
        self.settings, self.store = settings, store
        self.start_token = new_secret()
        names = {"localhost", "127.0.0.1", "::1", settings.host.lower(), *map(str.lower, settings.allowed_hosts)}
        self._hosts = names - {"0.0.0.0", "::"}

    def token(self, secret: str | None) -> Token | None:
        """Return the token of a token's or session's secret; None if it is not valid."""
        if not self.settings.tokens:
            return ANYBODY
        if not secret:
            return None
        if hmac.compare_digest(digest(secret), digest(self.start_token)):
            return Token("start", "admin", "admin")
        return self.store.find_token(secret)

    def refuse(self, request: Request) -> Response | None:
        """Return a refusal for a request with a foreign Origin or Host; None if it may proceed."""
        host = request.headers.get("host", "")
        if (urlsplit(f"//{host}").hostname or "").lower() not in self._hosts:
            return answer(421, f"host '{host}' is not this service's", "start it with --allow-host NAME")
        origin = request.headers.get("origin")
        if request.method not in SAFE and origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return answer(403, f"a page of '{origin}' may not do this", "use the service's own page, or a token")
        size = request.headers.get("content-length", "0")
        if not size.isdigit() or int(size) > self.settings.max_upload:
            return answer(413, f"the request has {size} bytes", f"send at most {self.settings.max_upload:,}")
        return None

    def sign_in(self, token: Token, request: Request) -> Response:
        """Return a redirect to the page without the token in its address, with a session cookie."""
        response = RedirectResponse(f"{self.settings.root_path}/", 303)
        response.set_cookie(
            COOKIE,
            self.store.open_session(token),
            max_age=int(SESSION / timedelta(seconds=1)),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
            path=self.settings.root_path or "/",
        )
        return response


bearer = HTTPBearer(auto_error=False, description="A token of `fersearch token new`, or the one that a start prints")
cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="A browser's session, opened by /?token=...")


def gate_of(request: Request) -> Gate:
    """Return the gate of the app that handles a request."""
    gate: Gate = request.app.state.gate
    return gate


def anyone(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    session: Annotated[str | None, Depends(cookie)],
) -> Token:
    """Return the token of a request.

    Raises:
        ProblemError: 401 without a valid token.
    """
    token = gate_of(request).token(credentials.credentials if credentials else session)
    if token is None:
        raise ProblemError(401, "a token is needed", "send Authorization: Bearer TOKEN, or open the link of the start")
    return token


def _at_least(role: str) -> Callable[[Token], Token]:
    def check(token: Annotated[Token, Depends(anyone)]) -> Token:
        if not token.may(role):
            raise ProblemError(403, f"token '{token.name}' may not do this", f"it needs the role {role}")
        return token

    return check


Reader = Annotated[Token, Depends(_at_least("read"))]
Runner = Annotated[Token, Depends(_at_least("run"))]
Admin = Annotated[Token, Depends(_at_least("admin"))]
"""Dependencies: the token of a request, with at least that role."""
