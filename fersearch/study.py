"""What a study is asked to do: frozen records that a database row or a TOML file can hold."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

from fersearch.errors import UsageError
from fersearch.space import Space, Value

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Objective:
    """A metric and the direction in which it is better."""

    metric: str
    direction: Direction

    def loss(self, value: float) -> float:
        """The value as something to minimise."""
        return -value if self.direction == "max" else value

    def __str__(self) -> str:
        return f"{self.metric}:{self.direction}"


@dataclass(frozen=True)
class Constraint:
    """A bound on a metric: `peak_memory_mb<=500`."""

    metric: str
    op: Literal["<=", ">="]
    bound: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `METRIC<=NUMBER` or `METRIC>=NUMBER`; UsageError otherwise."""
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=)\s*([-+.\deE]+)\s*", text)
        try:
            if match:
                return cls(match[1], match[2], float(match[3]))  # type: ignore[arg-type]
        except ValueError:
            pass
        raise UsageError(f"'{text}' is no constraint", "write METRIC<=NUMBER or METRIC>=NUMBER, as peak_memory_mb<=500")

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether the values have the metric and keep the bound."""
        value = values.get(self.metric)
        if value is None:
            return False
        return value <= self.bound if self.op == "<=" else value >= self.bound

    def __str__(self) -> str:
        return f"{self.metric}{self.op}{self.bound:g}"


@dataclass(frozen=True)
class Protocol:
    """How a trial is judged.

    `split` is `auto` (the dataset's own split where it has one), `official` (refuse a dataset
    without one) or `ratios`. Parts without an official split are drawn by `ratios` (train, valid,
    test), stratified by class, whole subjects together where the dataset knows its subjects,
    with `seed`.
    """

    split: Literal["auto", "official", "ratios"] = "auto"
    ratios: tuple[float, float, float] = (0.7, 0.15, 0.15)
    seed: int = 42


@dataclass(frozen=True)
class Budget:
    """When a study is over: after `trials` trials that ended, or after `timeout` seconds of running.

    A trial under way when the time is up is saved and waits for more time.
    """

    trials: int = 20
    timeout: float | None = None


@dataclass(frozen=True)
class StudySpec:
    """All that a study was asked to do.

    `model`, `dataset` and the metrics of `objectives` are names of components. `data` is the
    folder or file given for the dataset, None for the one known by name. `space` is the narrowed
    space that is searched, epochs included. `limit` bounds the images of train and valid
    together (a stratified subset). `weights` starts the architecture from a named source or a
    local file. `precision` is `auto`, `float32` or `bf16`.
    """

    name: str
    model: str
    dataset: str
    objectives: tuple[Objective, ...]
    space: Space
    data: str | None = None
    dataset_options: Mapping[str, Value] = field(default_factory=dict)
    budget: Budget = Budget()
    protocol: Protocol = Protocol()
    sampler: str = "tpe"
    pruner: str = "pareto"
    seed: int = 0
    limit: int | None = None
    weights: str | None = None
    precision: Literal["auto", "float32", "bf16"] = "auto"

    def to_json(self) -> dict[str, Any]:
        """The spec as plain data, for the store."""
        data = asdict(self)
        data["space"] = self.space.to_json()
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The spec that `to_json` wrote."""
        known = dict(data)
        known["objectives"] = tuple(Objective(**item) for item in data["objectives"])
        known["space"] = Space.from_json(data["space"])
        known["budget"] = Budget(**data["budget"])
        protocol = dict(data["protocol"])
        known["protocol"] = Protocol(**{**protocol, "ratios": tuple(protocol["ratios"])})
        return cls(**known)
