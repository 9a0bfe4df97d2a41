"""What a state of a trial belongs to: only the same trial, on the same data, goes on from it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fersearch.training.request import TrialRequest

VERSION = 1
"""Of the files of a state; one of another version is not gone on from."""

Stamp = Mapping[str, Any]

_OTHER = {
    "version": "of another version of fersearch",
    "study": "of another study",
    "trial": "of another trial",
    "params": "of other parameters",
    "seed": "of another seed",
    "data": "of other data",
}


class Unusable(Exception):
    """A state cannot be gone on from; the message says which and why."""


def stamp_of(request: TrialRequest, data: str) -> Stamp:
    """Return the stamp of a trial's states; `data` is the digest of what it sees where the request names none."""
    params = [request.architecture, request.params, request.dataset, request.dataset_options]
    return {
        "version": VERSION,
        "study": request.study_uid,
        "trial": request.number,
        "params": hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest(),
        "seed": request.seed,
        "data": request.data_digest or data,
    }


def check_stamp(found: object, wanted: Stamp, name: str) -> None:
    """Raise Unusable unless the stamp found in the state `name` is the one wanted."""
    if found is None and wanted:
        raise Unusable(f"{name} was saved by an earlier version of fersearch")
    known = found if isinstance(found, Mapping) else {}
    if other := [told for key, told in _OTHER.items() if known.get(key) != wanted.get(key)]:
        raise Unusable(f"{name} is {' and '.join(other)}")
