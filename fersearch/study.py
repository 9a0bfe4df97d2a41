"""The specification of a study: frozen records that a database row or a TOML file can hold."""

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Literal, Self

from fersearch.errors import UsageError
from fersearch.space import Params, Space, Value, values_of
from fersearch.trial import SPREAD, STD

Direction = Literal["max", "min"]
ARCHITECTURE = "architecture"
"""The dimension of a study over several architectures that says which of them a trial has."""
FINISH, REFIT = "finish", "refit"
"""Studies `finish/NAME` train the finalists of study NAME, and are listed only where all studies are; `refit/NAME`
retrain its best configuration."""


def is_finish(name: str) -> bool:
    """Return whether a study of that name trains the finalists of another."""
    return name.startswith(f"{FINISH}/")


@dataclass(frozen=True)
class Objective:
    """A metric and the direction in which it is better."""

    metric: str
    direction: Direction

    def loss(self, value: float) -> float:
        """Return the value as something to minimise."""
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
            if match and math.isfinite(float(match[3])):
                return cls(match[1], match[2], float(match[3]))  # type: ignore[arg-type]
        except ValueError:
            pass
        raise UsageError(
            f"'{text}' is not a constraint", "write METRIC<=NUMBER or METRIC>=NUMBER, as peak_memory_mb<=500"
        )

    def holds(self, values: Mapping[str, float]) -> bool:
        """Return whether the values have the metric and keep the bound."""
        value = values.get(self.metric)
        if value is None:
            return False
        return value <= self.bound if self.op == "<=" else value >= self.bound

    def __str__(self) -> str:
        return f"{self.metric}{self.op}{self.bound:g}"


def keeps(bounds: Iterable[Constraint], values: Mapping[str, float]) -> bool:
    """Return whether values have every bounded metric, within its bounds."""
    return all(bound.holds(values) for bound in bounds)


@dataclass(frozen=True)
class Protocol:
    """The evaluation protocol of a trial.

    `split` is `auto` (the dataset's own split where it has one), `official` (refuse a dataset
    without one), `ratios` (every image drawn anew), `kfold` (each of `folds` parts of train and
    valid validates once) or `loso` (each subject validates once: leave one subject out). Parts
    are drawn with `split_seed`, `by` chance, by class (stratified), by subject (whole subjects
    together, and refused where they are not known), or auto: by subject where the dataset knows
    its subjects, by class elsewhere. `ratios` are the shares of train, valid and test, None for
    70/15/15; with kfold and loso they decide by their last number which share of all images is
    held out as test, and None keeps the dataset's own test images, if any.

    `repeats` is the number of trainings with different seeds. Each fold of each repeat is a round.
    `duplicates` is `keep`, or `drop` to leave an image out of train that occurs, equal in every
    pixel, in valid or test, and out of valid if it occurs in test; `near` leaves out what is nearly equal too.
    """

    split: Literal["auto", "official", "ratios", "kfold", "loso"] = "auto"
    ratios: tuple[float, float, float] | None = None
    split_seed: int = 42
    by: Literal["auto", "chance", "class", "subject"] = "auto"
    folds: int = 5
    repeats: int = 1
    duplicates: Literal["keep", "drop", "near"] = "keep"

    @property
    def folded(self) -> bool:
        """Return whether a trial is trained on several splits."""
        return self.split in ("kfold", "loso")

    @property
    def in_rounds(self) -> bool:
        """Return whether a trial trains more than once."""
        return self.folded or self.repeats > 1

    def to_json(self) -> dict[str, Any]:
        """Return the protocol as plain data."""
        return {self.key(name): value for name, value in asdict(self).items()}

    @staticmethod
    def key(name: str) -> str:
        """Return a field's key in plain data: databases and cards have `seed` for `split_seed`."""
        return "seed" if name == "split_seed" else name

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the protocol that `to_json` wrote."""
        known = {field.name: data[cls.key(field.name)] for field in fields(cls) if cls.key(field.name) in data}
        ratios = known.get("ratios")
        return cls(**{**known, "ratios": None if ratios is None else tuple(ratios)})


@dataclass(frozen=True)
class Budget:
    """The budget of a study: `trials` trials that ended, or `timeout` seconds of running.

    A trial under way when the time is up is saved and waits for more time.
    """

    trials: int = 20
    timeout: float | None = None

    def used_up(self, ended: int, seconds: float) -> bool:
        """Return whether the budget is used up by this many ended trials or seconds of running."""
        return ended >= self.trials or (self.timeout is not None and seconds >= self.timeout)


@dataclass(frozen=True)
class Change:
    """An intended change of a study: `name` was `before` and is `after`.

    `at` is the moment in ISO 8601, `trials` how many trials the study had then.
    """

    at: str
    trials: int
    name: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before or 'nothing'} became {self.after or 'nothing'}"


@dataclass(frozen=True)
class Origin:
    """The study that a study was started from, and the digest of its data then.

    The sampler knows `trials` of its trials, and `enqueued` configurations of its front were enqueued.
    """

    study: str
    data_digest: str = ""
    trials: int = 0
    enqueued: int = 0


class StudyState(StrEnum):
    """The state of a study.

    `running`: a live process drives it; `paused`: it does not run until somebody resumes it; `queued`: it
    waits for slots of a service; `complete`: its budget is used up, or its space; `stopped`: its last run was asked
    to stop; `idle`: none of these.
    """

    RUNNING = "running"
    PAUSED = "paused"
    QUEUED = "queued"
    COMPLETE = "complete"
    STOPPED = "stopped"
    IDLE = "idle"


@dataclass(frozen=True)
class Keep:
    """The policy by which a study keeps the checkpoints of ended trials.

    `front`: of the trials on the Pareto front, and of the best by the first objective even if it is not
    on the front; `all`: of every trial; `best`: of the `most` best complete trials by the first objective.
    """

    which: Literal["front", "all", "best"] = "front"
    most: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `front`, `all`, `best N` or `best:N`; UsageError otherwise."""
        if text.strip() in ("front", "all"):
            return cls(text.strip())  # type: ignore[arg-type]
        match = re.fullmatch(r"best[\s:]\s*(\d+)", text.strip())
        if match and int(match[1]):
            return cls("best", int(match[1]))
        raise UsageError(f"'{text}' does not say which checkpoints to keep", "write front, all, or best N, as best:5")

    @property
    def description(self) -> str:
        """Return what it keeps, as a phrase."""
        best = f"the best {self.most} checkpoints" if self.most > 1 else "the best checkpoint"
        phrases = {"front": "the checkpoints of the front", "all": "every checkpoint", "best": best}
        return f"{phrases[self.which]} (keep = {self})"

    def __str__(self) -> str:
        return f"best {self.most}" if self.which == "best" else self.which


RULES = 2
"""The rules by which new studies search: 2 never stops a trial on the first front of a rung, and draws parameters
together where there is one objective. A study goes on under those that it began with."""


@dataclass(frozen=True)
class StudySpec:
    """The complete specification of a study.

    `architecture`, `dataset` and the metrics of `objectives` are names of components. `data` is the
    folder or file given for the dataset, None for the one known by name. `space` is the narrowed
    space that is searched, epochs included. With `one_study`, `architecture` names several, separated by commas, and
    the dimension `ARCHITECTURE` of the space says which a trial has. `limit` bounds the images of train and valid
    together (a stratified subset). `weights` starts the architecture from a named source or a
    local file. `precision` is `auto`, `float32` or `bf16`, `memory_format` `auto`, `contiguous` or
    `channels_last`. `latency_on` says whether `latency_ms` is that of the model in torch, or of the exported one.

    After its last trial, the best configuration is retrained `refit` times (0: never) on
    the protocol's split without folds, in a separate study, and the best model is evaluated on every
    dataset of `unseen`. `keep` bounds the disk that its checkpoints take. A trial that breaks a bound of `where` is
    infeasible, and is not trained where that is known before. `recipes` says whether known ones are tried first, and
    `rules` by which version of the sampler's and the pruner's rules it searches. `changes` are those made on
    purpose, oldest first.
    The study ends once its front's hypervolume has not grown for `stop_when_flat` complete trials (0: never).
    `origin` is the study that it was started from. `observe` names the observers, of those that a service offers,
    that the service reports it to.
    """

    name: str
    architecture: str
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
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    latency_on: Literal["torch", "onnx"] = "torch"
    refit: int = 0
    unseen: tuple[str, ...] = ()
    keep: Keep = Keep()
    where: tuple[Constraint, ...] = ()
    recipes: Literal["auto", "known", "none"] = "auto"
    rules: int = RULES
    changes: tuple[Change, ...] = ()
    stop_when_flat: int = 0
    origin: Origin | None = None
    one_study: bool = False
    observe: tuple[str, ...] = ()

    @property
    def architectures(self) -> tuple[str, ...]:
        """The names of the architectures that the study searches over."""
        return tuple(self.architecture.split(",")) if self.one_study else (self.architecture,)

    def chosen(self, params: Params) -> tuple[str, dict[str, Value]]:
        """Return the architecture that parameters choose, and the parameters as it knows them."""
        if not self.one_study:
            return self.architecture, dict(params)
        name = str(params[ARCHITECTURE])
        own = {key.removeprefix(f"{name}."): value for key, value in params.items() if key != ARCHITECTURE}
        return name, own

    def examples(self, most: int = 1) -> Iterator[tuple[str, dict[str, Value]]]:
        """Yield each architecture of the space with its first configurations, `most` of them."""
        names = values_of(self.space[ARCHITECTURE]) if self.one_study else ("",)
        for name in names:
            space = self.space.narrowed({ARCHITECTURE: str(name)}) if self.one_study else self.space
            yield from map(self.chosen, itertools.islice(space.configurations(), most))

    def keeps_bounds(self, values: Mapping[str, float]) -> bool:
        """Return whether a trial's values keep every bound of the study."""
        return keeps(self.where, values)

    def uncounted(self, untrained: int) -> int:
        """Return how many of the trials that were infeasible before training the budget does not count."""
        return untrained if self.where else 0

    @property
    def compared(self) -> list[str]:
        """The values that trials are compared by: the objectives with their spreads, and what is bounded."""
        metrics = [objective.metric for objective in self.objectives]
        spreads = [f"{metric}{ending}" for metric in metrics for ending in (STD, SPREAD)]
        undisturbed = ["cpu_seconds"] if "train_seconds" in metrics else []
        return list(dict.fromkeys((*metrics, *(bound.metric for bound in self.where), *undisturbed, *spreads)))

    def to_json(self) -> dict[str, Any]:
        """Return the spec as plain data, for the store, which calls the architecture `model`."""
        data = asdict(self)
        data["model"] = data.pop("architecture")
        data["protocol"] = self.protocol.to_json()
        data["space"] = self.space.to_json()
        data["keep"] = str(self.keep)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read the spec that `to_json` wrote.

        One that does not say what to keep was promised every checkpoint; one without a memory format is contiguous,
        one without rules goes on by the first ones, and without the known recipes.
        """
        known = {"architecture" if name == "model" else name: value for name, value in data.items()}
        known = {"memory_format": "contiguous", "rules": 1, "recipes": "none", **known}
        known["keep"] = Keep.parse(data.get("keep", "all"))
        known["objectives"] = tuple(Objective(**item) for item in data["objectives"])
        known["space"] = Space.from_json(data["space"])
        known["budget"] = Budget(**data["budget"])
        known["protocol"] = Protocol.from_json(data["protocol"])
        known["unseen"] = tuple(data.get("unseen", ()))
        known["origin"] = Origin(**data["origin"]) if data.get("origin") else None
        known["changes"] = tuple(Change(**item) for item in data.get("changes", ()))
        known["observe"] = tuple(data.get("observe", ()))
        known["where"] = tuple(Constraint(**item) for item in data.get("where", ()))
        return cls(**known)
