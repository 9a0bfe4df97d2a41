"""Responses about a study's trials, cached until the study changes: thousands of rows are read once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from fastapi import Response

from fersearch.api.records import Record
from fersearch.store import Store

MOST = 64
Made = Record | Sequence[Record]


@dataclass(frozen=True)
class Page:
    """A part of a list, and the headers that tell of the rest."""

    records: Sequence[Record]
    headers: Mapping[str, str]


class ResponseCache:
    """JSON responses by study and request, each with the version of its study."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, ...], tuple[tuple[int, int, int], bytes, dict[str, str]]] = OrderedDict()

    def of(self, name: str, what: Sequence[str], make: Callable[[], Made | Page]) -> Response:
        """Return a response about a study, made anew if the study has changed.

        Raises:
            UnknownName: there is no such study.
        """
        key, version = (name, *what), self._store.version(name)
        with self._lock:
            known = self._kept.get(key)
        if known is None or known[0] != version:
            made = make()
            headers = dict(made.headers) if isinstance(made, Page) else {}
            known = version, _json(made.records if isinstance(made, Page) else made), headers
            with self._lock:
                self._kept[key] = known
                self._kept.move_to_end(key)
                while len(self._kept) > MOST:
                    self._kept.popitem(last=False)
        return Response(known[1], media_type="application/json", headers=known[2])


def _json(made: Made) -> bytes:
    """Return records as JSON, as `plain` would have them."""
    if isinstance(made, Record):
        return made.model_dump_json().encode()
    return b"[" + b",".join(one.model_dump_json().encode() for one in made) + b"]"
