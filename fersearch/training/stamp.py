"""The stamp of a trial's states, so that only the same trial on the same data resumes from them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from fersearch.training.request import TrialRequest

VERSION = 1
"""Version of the files of a state; those of other versions are not resumed from."""

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
    """A state cannot be resumed from; the message says which and why."""


def stamp_of(request: TrialRequest, data: str) -> Stamp:
    """Return the stamp of a trial's states; `data` is the digest of its view of the data, for requests without one."""
    params = [request.architecture, request.params, request.dataset, request.dataset_options]
    return {
        "version": VERSION,
        "study": request.study_uid,
        "trial": request.number,
        "params": hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest(),
        "seed": request.seed,
        "data": request.data_digest or data,
    }


def check_stamp(stamp: object, expected: Stamp, name: str) -> None:
    """Raise Unusable unless the stamp of the state `name` is the expected one; the message lists the differences."""
    if stamp is None and expected:
        raise Unusable(f"{name} was saved by an earlier version of fersearch")
    known = stamp if isinstance(stamp, Mapping) else {}
    if differences := [difference for key, difference in _OTHER.items() if known.get(key) != expected.get(key)]:
        raise Unusable(f"{name} is {' and '.join(differences)}")
