"""Answers about a study's trials that are kept until the study has another event: thousands of rows are read once."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

from fastapi import Response

from fersearch.api.records import Record
from fersearch.store import Store

MOST = 64
Made = Record | Sequence[Record]


class Answers:
    """The JSON of answers by what was asked, each with the version of its study that it is of."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, ...], tuple[tuple[int, int], bytes]] = OrderedDict()

    def of(self, name: str, what: Sequence[str], make: Callable[[], Made]) -> Response:
        """Return an answer about a study, made anew if the study has changed.

        Raises:
            UnknownName: there is no such study.
        """
        key, version = (name, *what), self._store.version(name)
        with self._lock:
            known = self._kept.get(key)
        if known is None or known[0] != version:
            known = version, _json(make())
            with self._lock:
                self._kept[key] = known
                self._kept.move_to_end(key)
                while len(self._kept) > MOST:
                    self._kept.popitem(last=False)
        return Response(known[1], media_type="application/json")


def _json(made: Made) -> bytes:
    """Return records as JSON, as `plain` would have them."""
    if isinstance(made, Record):
        return made.model_dump_json().encode()
    return b"[" + b",".join(one.model_dump_json().encode() for one in made) + b"]"
