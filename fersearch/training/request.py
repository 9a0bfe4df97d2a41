"""The request of a trial process, as plain data. Imports no torch: the driver creates requests."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from fersearch.owners import Owner
from fersearch.plugins import PluginFile
from fersearch.space import Value
from fersearch.study import Constraint, Objective, Protocol


@dataclass(frozen=True)
class TrialRequest:
    """The request to run one attempt of one trial.

    Attributes:
        study_uid: random id of the study; with `database` it marks the files that the trial writes.
        prepared: folder of the prepared dataset.
        objective: decides which epoch's weights are kept.
        scratch: the trial's own folder for its best weights and last state.
        artifacts: folder of finished checkpoints.
        formats: memory formats that the study has decided on for `auto`, by the shape of trials.
        latency_counts: whether trials are compared by their latency, so that it is measured alone.
        figures: size and operations of the network, as far as earlier trials of its shape measured them.
        where: bounds; a model that breaks one is not trained.
        device: name of the device in torch.
        threads: number of CPU threads.
        resume: whether to resume from the last state in `scratch`, if any.
        save_every: seconds of training between two states.
        recorded: epochs of the trial that the driver has recorded.
        micro_batches: parts of each batch, more where memory runs out; 1 for whole batches.
        states: URL to which the states of `scratch` are copied, for other nodes to resume from; empty for none.
        keep_pruned: whether a trial that is stopped early keeps a checkpoint too.
        database: random id of the database that holds the study.
        data_digest: digest of the data as the trial sees it; empty where only that of the prepared copy is known.
        prepared_digest: digest of the prepared dataset; empty to skip its check.
        recorded_by_attempt: the last epoch that each earlier attempt recorded, 0 for none.
    """

    study_uid: str
    study: str
    number: int
    attempt: int
    params: Mapping[str, Value]
    architecture: str
    dataset: str
    prepared: str
    dataset_options: Mapping[str, Value]
    objective: Objective
    seed: int
    scratch: str
    artifacts: str
    protocol: Protocol = field(default_factory=Protocol)
    limit: int | None = None
    plugins: Sequence[PluginFile] = field(default_factory=tuple)
    weights: str | None = None
    precision: str = "auto"
    memory_format: str = "contiguous"
    formats: Mapping[str, str] = field(default_factory=dict)
    latency_on: str = "torch"
    latency_counts: bool = False
    figures: Mapping[str, int] = field(default_factory=dict)
    where: Sequence[Constraint] = field(default_factory=tuple)
    device: str = "cpu"
    threads: int = 1
    resume: bool = True
    save_every: float = 30.0
    recorded: int = 0
    micro_batches: int = 1
    states: str = ""
    keep_pruned: bool = True
    database: str = ""
    data_digest: str = ""
    prepared_digest: str = ""
    recorded_by_attempt: Sequence[int] = ()

    @property
    def owner(self) -> Owner | None:
        """The owner of the trial's files; None where no database is known."""
        return Owner(self.database, self.study_uid) if self.database else None

    def recorded_since(self, attempt: int) -> int:
        """Return how many epochs were recorded of the training that began with an attempt, without earlier attempts."""
        if not self.recorded_by_attempt:
            return self.recorded
        return next((epoch for epoch in reversed(self.recorded_by_attempt[attempt - 1 :]) if epoch), 0)

    def to_json(self) -> dict[str, Any]:
        """Return the request as plain data, to send it to the trial process."""
        return {**asdict(self), "protocol": self.protocol.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the request of plain data that `to_json` made."""
        known = dict(data)
        known["protocol"] = Protocol.from_json(data["protocol"])
        known["objective"] = Objective(**data["objective"])
        known["where"] = tuple(Constraint(**item) for item in data.get("where", ()))
        known["recorded_by_attempt"] = tuple(data.get("recorded_by_attempt", ()))
        known["plugins"] = tuple(PluginFile(**item) for item in data["plugins"])
        return cls(**known)
