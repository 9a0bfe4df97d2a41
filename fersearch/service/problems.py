"""Errors as problem+json (RFC 9457), with the message and the hint of the command line."""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException

from fersearch.errors import FersearchError, StudyFileError
from fersearch.service.statuses import NO_ROOM, is_disk_full, status_of

MEDIA_TYPE = "application/problem+json"
log = logging.getLogger("fersearch.service")


class Problem(BaseModel):
    """An error: what happened (`detail`), and what to do next (`hint`)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    hint: str = ""
    mistakes: list[str] = Field(default=[], description="Every mistake of a study, each with its key")


class ProblemError(Exception):
    """An error with the status and text of a response, such as a child process reported them."""

    def __init__(self, status: int, detail: str, hint: str = "", mistakes: tuple[str, ...] = ()) -> None:
        super().__init__(detail)
        self.status, self.detail, self.hint, self.mistakes = status, detail, hint, mistakes


def problem_of(error: ProblemError) -> Problem:
    """Return the response that describes a problem."""
    title = HTTPStatus(error.status).phrase
    return Problem(
        title=title, status=error.status, detail=error.detail, hint=error.hint, mistakes=list(error.mistakes)
    )


def answer(
    status: int, detail: str, hint: str = "", mistakes: tuple[str, ...] = (), headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error response as problem+json."""
    title = HTTPStatus(status).phrase
    problem = Problem(title=title, status=status, detail=detail, hint=hint, mistakes=list(mistakes))
    return JSONResponse(problem.model_dump(), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make an app report every error as problem+json."""

    @app.exception_handler(FersearchError)
    async def _known(_: Request, error: FersearchError) -> JSONResponse:
        mistakes = error.mistakes if isinstance(error, StudyFileError) else ()
        return answer(status_of(error), error.message, error.hint, mistakes)

    @app.exception_handler(ProblemError)
    async def _respond(_: Request, error: ProblemError) -> JSONResponse:
        return answer(error.status, error.detail, error.hint, error.mistakes)

    @app.exception_handler(StarletteHTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        if is_disk_full(error.__cause__):  # a body that does not fit on the disk is no mistake of the client
            return answer(*NO_ROOM)
        headers = dict(error.headers or {})
        return answer(error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        mistakes = tuple(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        return answer(422, "the request has mistakes", "\n".join(mistakes), mistakes)

    @app.exception_handler(OSError)
    async def _system(request: Request, error: OSError) -> JSONResponse:
        return answer(*NO_ROOM) if is_disk_full(error) else await _bug(request, error)

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer(500, f"a bug in fersearch: {type(error).__name__}", "the service's log has the traceback")


def problem_response(status: int) -> dict[str, Any]:
    """Return the OpenAPI response of an error status; `openapi` adds the schema that it refers to."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: problem_response(status) for status in (400, 401, 403, 404, 409, 413, 421, 422, 500, 503, 507)
}
"""Problems that every route may return, for OpenAPI."""
OF_THE_GUARD = (403, 413, 421)
"""Statuses that the guard returns before any route."""
