"""Paging: `limit` and `offset` in the query, the total and the next page in headers."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query, Request, Response

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=10_000, description="Maximum number")]
Offset = Annotated[int, Query(ge=0, le=2**31, description="Number to skip at the beginning")]


def page(request: Request, response: Response, items: Sequence[T], limit: int, offset: int) -> Sequence[T]:
    """Return a part of a list, and set the response's headers for its total and the next page."""
    response.headers.update(headers_of(request, len(items), limit, offset))
    return items[offset : offset + limit]


def headers_of(request: Request, total: int, limit: int, offset: int) -> dict[str, str]:
    """Return the headers for the total of a list and its next page."""
    headers = {"X-Total-Count": str(total)}
    if offset + limit < total:
        following = request.url.include_query_params(limit=limit, offset=offset + limit)
        prefix = request.scope.get("root_path", "")  # a proxy may have removed it from the path
        path = following.path if following.path.startswith(f"{prefix}/") else prefix + following.path
        headers["Link"] = f'<{path}?{following.query}>; rel="next"'
    return headers
