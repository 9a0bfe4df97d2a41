"""Cache responses about a study's trials until the study changes, because they read thousands of rows.

Their ETag comes from the study's version, so that a 304 needs no computation.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
Kept = tuple[Version, bytes, dict[str, str]]


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
        self._kept: OrderedDict[tuple[str, ...], Kept] = OrderedDict()

    def of(self, request: Request, what: Sequence[str], make: Callable[[], Made | Page]) -> Response:
        """Return a response about the study in a request's path, computed only if neither cache nor client has it.

        Raises:
            UnknownName: there is no such study.
        """
        key = (str(request.path_params["name"]), *what)
        version = self._store.version(key[0])
        if (tag := self._tag(version, what)) in known_tags(request):
            return unchanged({"ETag": tag})
        with self._lock:
            known = self._kept.get(key)
            if known is not None:
                self._kept.move_to_end(key)
        if known is None or known[0] != version:
            known = self._keep(key, version, make())
        return Response(known[1], media_type="application/json", headers={**known[2], "ETag": tag})

    def _tag(self, version: Version, what: Sequence[str]) -> str:
        """Return the ETag of a response, from the database, the study, its version and the records' names."""
        about = repr((__version__, self._store.identity, version, list(what)))
        return f'W/"{hashlib.sha256(about.encode()).hexdigest()[:32]}"'

    def _keep(self, key: tuple[str, ...], version: Version, made: Made | Page) -> Kept:
        headers = dict(made.headers) if isinstance(made, Page) else {}
        kept = version, _json(made.records if isinstance(made, Page) else made), headers
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and sum(len(one[1]) for one in self._kept.values()) > self._most:
                self._kept.popitem(last=False)
        return kept


def _json(made: Made) -> bytes:
    """Return records as JSON bytes, equal to those of `plain`."""
    if isinstance(made, Record):
        return made.model_dump_json().encode()
    return b"[" + b",".join(one.model_dump_json().encode() for one in made) + b"]"
