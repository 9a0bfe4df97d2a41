"""What a trial process is asked to do, as plain data. Imports no torch: the driver makes these."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from fersearch.owners import Owner
from fersearch.plugins import PluginFile
from fersearch.space import Value
from fersearch.study import Constraint, Objective, Protocol


@dataclass(frozen=True)
class TrialRequest:
    """One attempt of one trial.

    `prepared` is the folder of the prepared dataset, `prepared_digest` that of its content (empty: not checked),
    `scratch` the trial's own folder for its best and last states, `artifacts` the folder of finished checkpoints.
    `objective` decides which epoch
    is kept. `device` is as torch names it, `threads` the CPU threads to use. With `resume` the last
    state in `scratch`, if any, is gone on from; `save_every` is the training time in seconds between
    two such states. `recorded` epochs of the trial are known to whoever asks. `micro_batches` is in
    how many parts each batch is learnt from, or more where those lack memory too; 1 for whole batches.
    `states` is a URL at which the states of `scratch` are kept too, for another node to go on from; empty for none.
    `formats` has the memory formats that the study has decided on for `auto`, by the shape of trials.
    A model that breaks a bound of `where` is not trained. `keep_pruned` makes a checkpoint also of a trial that is
    stopped early.

    `study_uid` is the study's random id and `database` that of the database that holds it: what the trial writes
    is marked as theirs. `data_digest` is of the data as the trial sees it; empty where only the prepared copy's own
    is known. `told` has the last epoch that each earlier attempt recorded, 0 for none.
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
    told: Sequence[int] = ()

    @property
    def owner(self) -> Owner | None:
        """Whose the trial's files are; None where no database is known."""
        return Owner(self.database, self.study_uid) if self.database else None

    def recorded_since(self, attempt: int) -> int:
        """Return how many epochs are known of the training that began with an attempt: none of the attempts before
        it."""
        if not self.told:
            return self.recorded
        return next((epoch for epoch in reversed(self.told[attempt - 1 :]) if epoch), 0)

    def to_json(self) -> dict[str, Any]:
        """Return the request as plain data, for the way to the trial process."""
        return {**asdict(self), "protocol": self.protocol.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the request that `to_json` wrote."""
        known = dict(data)
        known["protocol"] = Protocol.from_json(data["protocol"])
        known["objective"] = Objective(**data["objective"])
        known["where"] = tuple(Constraint(**item) for item in data.get("where", ()))
        known["told"] = tuple(data.get("told", ()))
        known["plugins"] = tuple(PluginFile(**item) for item in data["plugins"])
        return cls(**known)
