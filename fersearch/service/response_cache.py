"""Cache responses about a study's trials until the study changes, because they read thousands of rows.

Their ETag comes from the study's version, so that a 304 needs no computation.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from fastapi import Request, Response

from fersearch import __version__
from fersearch.api.records import Record
from fersearch.service.conditional import known_tags, unchanged
from fersearch.store import Store

MOST = 16 * 2**20
"""Most bytes of JSON that are kept, of the most recently used responses."""
Made = Record | Sequence[Record]
Version = tuple[int, int, int]
Basis = tuple[object, Sequence[object]]
"""On what a response depends: something compared by value, and objects compared by identity."""


@dataclass(frozen=True)
class CachedResponse:
    """A response with the version of its study, and on what it depends where that is known."""

    version: Version
    body: bytes
    headers: dict[str, str]
    basis: Basis | None = None


@dataclass(frozen=True)
class Page:
    """A part of a list, and the headers about its rest."""

    records: Sequence[Record]
    headers: Mapping[str, str]


class ResponseCache:
    """A cache of JSON responses by study and request, each with the version of its study."""

    def __init__(self, store: Store, most: int = MOST) -> None:
        self._store, self._most = store, most
        self._lock = Lock()
        self._responses: OrderedDict[tuple[str, ...], CachedResponse] = OrderedDict()

    def of(
        self,
        request: Request,
        what: Sequence[str],
        make: Callable[[], Made | Page],
        basis: Callable[[], Basis] | None = None,
    ) -> Response:
        """Return a response about the study in a request's path, computed only if neither cache nor client has it.

        With `basis`, a cached response of an earlier version is reused if what it depends on is the same.

        Raises:
            UnknownName: there is no such study.
        """
        key = (str(request.path_params["name"]), *what)
        version = self._store.version(key[0])
        if (tag := self._tag(version, what)) in known_tags(request):
            return unchanged({"ETag": tag})
        with self._lock:
            known = self._responses.get(key)
            if known is not None:
                self._responses.move_to_end(key)
        if known is None or known.version != version:
            known = self._renewed(key, known, version, make, basis() if basis else None)
        return Response(known.body, media_type="application/json", headers={**known.headers, "ETag": tag})

    def _renewed(
        self,
        key: tuple[str, ...],
        known: CachedResponse | None,
        version: Version,
        make: Callable[[], Made | Page],
        basis: Basis | None,
    ) -> CachedResponse:
        """Return the response of a version; `basis` was read before, so that it is never newer than what is made."""
        if known is not None and _equal(known.basis, basis):
            return self._keep(key, replace(known, version=version))
        result = make()
        headers = dict(result.headers) if isinstance(result, Page) else {}
        body = _json(result.records if isinstance(result, Page) else result)
        return self._keep(key, CachedResponse(version, body, headers, basis))

    def _tag(self, version: Version, what: Sequence[str]) -> str:
        """Return the ETag of a response, from the database, the study, its version and the records' names."""
        about = repr((__version__, self._store.identity, version, list(what)))
        return f'W/"{hashlib.sha256(about.encode()).hexdigest()[:32]}"'

    def _keep(self, key: tuple[str, ...], response: CachedResponse) -> CachedResponse:
        with self._lock:
            self._responses[key] = response
            self._responses.move_to_end(key)
            while len(self._responses) > 1 and sum(len(one.body) for one in self._responses.values()) > self._most:
                self._responses.popitem(last=False)
        return response


def _equal(one: Basis | None, other: Basis | None) -> bool:
    if one is None or other is None or one[0] != other[0] or len(one[1]) != len(other[1]):
        return False
    return all(left is right for left, right in zip(one[1], other[1], strict=True))


def _json(result: Made) -> bytes:
    """Return records as JSON bytes, equal to those of `plain`."""
    if isinstance(result, Record):
        return result.model_dump_json().encode()
    return b"[" + b",".join(one.model_dump_json().encode() for one in result) + b"]"
