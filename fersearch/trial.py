"""The records of a trial: states, attempts, epochs and outcomes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from fersearch.space import Value

EXCLUSIVE = "exclusive_train_seconds"
"""The training time of a trial that was trained once more with nothing else on its device."""

LATENCY, ROUGH_LATENCY = "latency_ms", "rough_latency_ms"
"""The latency of a trial, and its earlier value next to other trials if it was measured again alone."""

ROUGH_MARGIN = 2.0
"""A rough latency that breaks a bound by less than so many times does not decide: one alone does."""

STD, SE, SPREAD, LOW, HIGH = "_std", "_se", "_spread", "_ci_low", "_ci_high"
"""Suffixes of the names of values that describe the uncertainty of another value: its deviation over rounds, its
standard error, its relative deviation over trials of the same configuration, and the ends of its 95 % interval."""


def is_spread(name: str) -> bool:
    """Return whether a value's name is that of another value's uncertainty."""
    return name.endswith((STD, SE, SPREAD, LOW, HIGH))


class TrialState(StrEnum):
    """The state of a trial; `waiting` and `running` may still change."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    PRUNED = "pruned"
    INFEASIBLE = "infeasible"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether the trial will never run again."""
        return self not in (TrialState.WAITING, TrialState.RUNNING)


class Reason(StrEnum):
    """Why an attempt ended."""

    DONE = "done"
    PRUNED = "pruned"
    INFEASIBLE = "infeasible"
    ERROR = "error"
    OOM = "oom"
    DIVERGED = "diverged"
    HUNG = "hung"
    KILLED = "killed"
    INTERRUPTED = "interrupted"
    PREEMPTED = "preempted"


class Lost(StrEnum):
    """The resource whose loss interrupted an attempt by no fault of its trial; the attempt's fact `lost`."""

    DRIVER = "driver"
    SERVER = "server"
    NODE = "node"
    DATABASE = "database"
    DISK = "disk"


class Decision(StrEnum):
    """The decision after an epoch: train on, stop as pruned, or save and resume later."""

    CONTINUE = "continue"
    STOP = "stop"
    INTERRUPT = "interrupt"


@dataclass(frozen=True)
class Epoch:
    """The results of one pass over the training data.

    `number` counts the trial's epochs from 1, through all rounds. `round` is the training under
    folds or repeats that it belongs to, from 1, and `last` marks the end of that. `values` holds
    every metric on the validation split, and the measured ones (seconds, MB). `seconds` is the
    training time of this epoch alone, `cpu_seconds` its CPU time. `confusion[i][j]` counts
    validation images of class i that were called class j.
    """

    number: int
    values: Mapping[str, float]
    seconds: float
    cpu_seconds: float = 0.0
    confusion: Sequence[Sequence[int]] | None = None
    round: int = 1
    last: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the epoch as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the epoch of plain data that `to_json` made."""
        return cls(**data)


@dataclass(frozen=True)
class Outcome:
    """The outcome of an attempt.

    `kept_epoch` is the epoch whose weights were kept (the best by the first objective);
    `checkpoint` the digest of their artifact; `message` one line for a person; `traceback` the
    rest. `facts` records what only the trial process knows (device, precision, versions).
    """

    reason: Reason
    message: str = ""
    traceback: str = ""
    kept_epoch: int | None = None
    checkpoint: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the outcome as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the outcome of plain data that `to_json` made."""
        return cls(**{**data, "reason": Reason(data["reason"])})


@dataclass(frozen=True)
class Attempt:
    """One execution of a trial. `seconds` is wall time from start to end, None while it runs.

    `facts` records what only the trial process knew (device, precision, cached features), `lost` among them where
    the loss of something else ended it, and `saved` once it has saved a state.
    """

    number: int
    reason: Reason | None = None
    message: str = ""
    traceback: str = ""
    first_epoch: int | None = None
    last_epoch: int | None = None
    seconds: float | None = None
    pid: int | None = None
    log: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


DISTURBED = 1.25
"""Largest ratio of wall seconds to CPU seconds per thread of a trial that is alone on its cores."""
MUCH_OTHER_WORK = 0.1
"""Share of the CPU taken by other processes, on average over a trial, from which it is reported."""


@dataclass(frozen=True)
class Enqueued:
    """A configuration that somebody asked a study to try: some values; the sampler draws those that it leaves open.

    `uid` is a random id that makes it be added only once; `source` names the study and the trial that it comes from.
    """

    uid: str
    given: Mapping[str, Value]
    source: str = ""


@dataclass(frozen=True)
class Trial:
    """One configuration, tried.

    `values` are those of the kept epoch; time and memory count the whole trial. Under folds or
    repeats every value is the mean over the rounds, and `NAME_std` beside it the deviation of the
    rounds (of a sample, n - 1); the kept epoch is the best of all rounds. Of a complete trial of one round `NAME_se`
    is the standard error of an objective that its confusion matrix gives, and `NAME_ci_low` and `NAME_ci_high` are the
    ends of the first objective's 95 % interval. `space` is the
    space it was drawn from and `sampler_state` what the sampler needs to continue as if it
    had never stopped, both as plain data. `verdict` is the pruner's last decision and its grounds.
    `released` is the keep policy under which its checkpoint was removed; empty if it was not. `data_digest` is
    that of its data, empty if it was not recorded.
    """

    number: int
    params: Mapping[str, Value]
    state: TrialState = TrialState.WAITING
    values: Mapping[str, float] = field(default_factory=dict)
    epochs: int = 0
    kept_epoch: int | None = None
    checkpoint: str | None = None
    attempts: tuple[Attempt, ...] = ()
    space: Mapping[str, Any] = field(default_factory=dict)
    sampler_state: Mapping[str, Any] = field(default_factory=dict)
    verdict: Mapping[str, Any] = field(default_factory=dict)
    released: str = ""
    data_digest: str = ""

    @property
    def untrained(self) -> bool:
        """Whether it was infeasible before it had trained an epoch; where there are bounds, no budget counts it."""
        return self.state is TrialState.INFEASIBLE and not self.epochs

    @property
    def disturbed(self) -> bool:
        """Whether its training on a CPU took a quarter more wall seconds than CPU seconds per thread: other work ran.

        On two cores at a load of 9 wall seconds were 6 to 9 times those of the same trial alone, CPU seconds 1.5 times.
        For a trial from a service's list, without its attempts' facts, it is the service's value.
        """
        facts = self.attempts[-1].facts if self.attempts else {}
        if "disturbed" in facts:
            return bool(facts["disturbed"])
        wall, cpu = (self.values.get(name, 0.0) for name in ("train_seconds", "cpu_seconds"))
        if facts.get("device") != "cpu" or not cpu > 0:
            return False
        return wall > DISTURBED * cpu / int(facts.get("threads", 1))

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The bootstrap 95 % intervals of its values, by metric; of a trial of one round, the first objective's."""
        names = [name.removesuffix(LOW) for name in self.values if name.endswith(LOW)]
        return {name: (self.values[f"{name}{LOW}"], self.values[f"{name}{HIGH}"]) for name in names}

    @property
    def rough_latency(self) -> bool:
        """Whether its latency is known roughly only: other trials may have run while it was measured."""
        if LATENCY not in self.values or ROUGH_LATENCY in self.values:
            return False
        measurements = [attempt.facts["latency"] for attempt in self.attempts if "latency" in attempt.facts]
        return not (measurements and measurements[-1]["alone"])

    @property
    def other_cpu_share(self) -> float:
        """Share of the CPU that other processes took during its most disturbed attempt; 0 if unknown."""
        return max((float(attempt.facts.get("other_cpu_share", 0.0)) for attempt in self.attempts), default=0.0)

    @property
    def enqueued(self) -> Enqueued | None:
        """The enqueued configuration; None for a trial that the search proposed."""
        data = self.sampler_state.get("enqueued")
        return Enqueued(**data) if data else None

    def saw(self, data_digest: str) -> bool:
        """Return whether it sees the data of a digest; True if one of the two is unknown."""
        return not data_digest or self.data_digest in ("", data_digest)

    @property
    def reason(self) -> Reason | None:
        """Why its last attempt ended; None before the first has."""
        return self.attempts[-1].reason if self.attempts else None


def of_data(trials: Iterable[Trial], data_digest: str) -> list[Trial]:
    """Return the trials that saw the data of a digest; results on other data are not comparable."""
    return [trial for trial in trials if trial.saw(data_digest)]
