"""The OpenAPI document: the routes' declarations, and the responses that all routes share."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from fersearch.service import problems

JSON = "application/json"
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of an answer that the client has: 304 if it is still current",
    "schema": {"type": "string"},
}


def install(app: FastAPI, prefix: str) -> None:
    """Complete the OpenAPI document of an app; records below a prefix have an ETag."""
    derive = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(derive(), prefix)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # as FastAPI's documentation extends it


def _completed(document: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the document with the schema of problems, the guard's responses, and 304 for records."""
    document["components"]["schemas"]["Problem"] = problems.Problem.model_json_schema()
    for path, method, operation in _operations(document):
        for status in problems.OF_THE_GUARD:
            operation["responses"].setdefault(str(status), problems.RESPONSES[status])
        if method == "get" and path.startswith(prefix) and JSON in operation["responses"]["200"]["content"]:
            operation["responses"]["304"] = {"description": "The client has this answer already"}
            operation["parameters"] = [*operation.get("parameters", ()), IF_NONE_MATCH]
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation
