"""Records that the store returns, beside trials and epochs: frozen, without SQL in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from fersearch.plugins import PluginFile
from fersearch.study import Objective, StudySpec, StudyState


@dataclass(frozen=True)
class StudyRow:
    """A stored study.

    `baseline` holds the metrics of the majority-class guess; `seconds` is the running time it has used so far.
    `uid` is a random id that no two databases share; `data` says which data the study is about, empty before its
    first run. `ending` says when and why it ended where it did not use its budget. `database` is the random id of
    the database that holds it; a copied one has the same.
    """

    id: int
    name: str
    spec: StudySpec
    created: datetime
    plugins: tuple[PluginFile, ...]
    baseline: Mapping[str, float]
    seconds: float
    uid: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    database: str = ""
    ending: str = ""

    @property
    def data_digest(self) -> str:
        """The digest of what trials see of that data; empty before the first run."""
        return str(self.data.get("seen", {}).get("digest", ""))


@dataclass(frozen=True)
class Look:
    """One opening of a split that the search never saw; `n` counts its images."""

    checkpoint: str
    dataset: str
    split: str
    n: int
    metrics: Mapping[str, Any]
    looked: datetime


@dataclass(frozen=True)
class StudySummary:
    """A study's entry in a list; `counts` has the number of trials by state, where there are any.

    `storage` is the URL of its database, without a password. `architectures` are all that it searches over.
    """

    name: str
    objectives: tuple[Objective, ...]
    counts: Mapping[str, int]
    created: datetime
    model: str
    dataset: str
    looks: tuple[Look, ...] = ()
    storage: str = ""
    state: StudyState = StudyState.IDLE
    owner: str = ""
    architectures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """A request of another command to the study's driver."""

    id: int
    kind: str
    payload: Mapping[str, Any]
    issued: datetime


class Checkpoint(NamedTuple):
    """Trained weights that a trial kept; `bytes` is None where nobody measured them."""

    trial: int
    digest: str
    epoch: int | None
    bytes: int | None
    created: datetime
