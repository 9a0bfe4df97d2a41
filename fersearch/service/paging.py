"""Pages of a list: `limit` and `offset` in the query, the whole number and the next page in headers."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

from fastapi import Query, Request, Response

T = TypeVar("T")
Limit = Annotated[int, Query(ge=1, le=10_000, description="How many at most")]
Offset = Annotated[int, Query(ge=0, le=2**31, description="How many to leave out at the beginning")]


def page(request: Request, response: Response, items: Sequence[T], limit: int, offset: int) -> Sequence[T]:
    """Return a part of a list; the response tells how long it is, and where the next part is."""
    response.headers["X-Total-Count"] = str(len(items))
    if offset + limit < len(items):
        following = request.url.include_query_params(limit=limit, offset=offset + limit)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return items[offset : offset + limit]
