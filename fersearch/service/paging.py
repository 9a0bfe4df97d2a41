"""Pages of a list: `limit` and `offset` in the query, the whole number and the next page in headers."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query, Request, Response

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=10_000, description="How many at most")]
Offset = Annotated[int, Query(ge=0, le=2**31, description="How many to leave out at the beginning")]


def page(request: Request, response: Response, items: Sequence[T], limit: int, offset: int) -> Sequence[T]:
    """Return a part of a list; the response tells how long it is, and where the next part is."""
    response.headers.update(headers_of(request, len(items), limit, offset))
    return items[offset : offset + limit]


def headers_of(request: Request, total: int, limit: int, offset: int) -> dict[str, str]:
    """Return what tells how long a list is, and where its next part is."""
    headers = {"X-Total-Count": str(total)}
    if offset + limit < total:
        following = request.url.include_query_params(limit=limit, offset=offset + limit)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return headers
