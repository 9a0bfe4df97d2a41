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
    `uid` is a random id that no two databases share; `data` is the identity of the study's data, empty before its
    first run. `ending` is the time and reason of an end before the budget was used up. `database` is the random id of
    its database, which a copy of that database shares. `cost_spreads` holds the relative deviations of costs between
    equal trainings, as the studies of this machine, else others of the database, knew them when this one was created.
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
    cost_spreads: Mapping[str, float] = field(default_factory=dict)

    @property
    def data_digest(self) -> str:
        """The digest of the data as trials see it; empty before the first run."""
        return str(self.data.get("seen", {}).get("digest", ""))


@dataclass(frozen=True)
class Look:
    """One evaluation on a split that the search never used; `n` is its number of images."""

    checkpoint: str
    dataset: str
    split: str
    n: int
    metrics: Mapping[str, Any]
    looked: datetime


@dataclass(frozen=True)
class StudySummary:
    """A study's entry in a list; `counts` has the number of trials by state, without states that no trial has.

    `storage` is the URL of its database, without a password; `architectures` are those that it searches over.
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
    """Trained weights that a trial kept; `bytes` is None where they were not measured."""

    trial: int
    digest: str
    epoch: int | None
    bytes: int | None
    created: datetime
