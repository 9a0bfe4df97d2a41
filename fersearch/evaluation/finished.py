"""The end of a study: the results of its pick, trained with several seeds, on the test split that was opened once."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean, stdev
from typing import Any, Self

from fersearch.formatting import finite, number, plural
from fersearch.store import Look

KEY = "finish"
"""The key that only the metrics of the look that ended a study have."""

REPORTED = ("accuracy", "f1_macro")
"""The metrics that papers on facial expressions compare, named in the line beside the study's own."""


@dataclass(frozen=True)
class Finalist:
    """A retrained trial of the front: mean and standard deviation of the first objective on validation."""

    trial: int
    mean: float
    std: float | None = None


@dataclass(frozen=True)
class Finish:
    """The one look that ends a study.

    `trial` is the pick, by its number in the search, `values` each metric on test by seed, `interval` the bootstrap
    interval of the mean of `metric`, NaN where that is undefined. `looks` counts the openings of test so far, this one
    included; `trained` names the study that trained the finalists, `epochs` how long if not as long as in the search.
    """

    study: str
    dataset: str
    trial: int
    metric: str
    seeds: tuple[int, ...]
    values: Mapping[str, Sequence[float]]
    interval: tuple[float, float]
    n: int
    protocol: str
    finalists: tuple[Finalist, ...]
    trained: str
    looks: int = 1
    looked: datetime | None = None
    epochs: int | None = None

    @property
    def mean(self) -> float:
        """The mean of the metric over the seeds."""
        return mean(self.values[self.metric])

    @property
    def std(self) -> float | None:
        """The sample standard deviation over the seeds; None for a single one."""
        return _deviation(self.values[self.metric])

    @property
    def line(self) -> str:
        """The result in one line, as a paper reports it."""
        others = [name for name in REPORTED if name in self.values and name != self.metric]
        results = ", ".join(self._result(name) for name in (self.metric, *others))
        low, high = map(number, self.interval)
        of = f" of {self.metric}" if others else ""
        sure = "no bootstrap interval" if math.isnan(self.mean) else f"bootstrap 95 % interval{of} {low} to {high}"
        longer = f" trained for {plural(self.epochs, 'epoch')}" if self.epochs else ""
        return (
            f"{results} on the test split of {self.dataset} "
            f"({sure}, n = {self.n:,}, {plural(len(self.seeds), 'seed')}, "
            f"{plural(self.looks, 'look')} at test, {self.protocol}): trial {self.trial} of {self.study}{longer}, "
            f"picked from {plural(len(self.finalists), 'finalist')} on validation"
        )

    def _result(self, metric: str) -> str:
        """Return a metric with its mean and deviation over the seeds."""
        middle, deviation = mean(self.values[metric]), _deviation(self.values[metric])
        if math.isnan(middle):
            return f"{metric} undefined"
        return f"{metric} {number(middle)}" + ("" if deviation is None else f" ± {number(deviation)}")

    def metrics(self) -> dict[str, Any]:
        """Return the metrics of the look's row: means with deviations, and all else of the finish under one key."""
        summary: dict[str, Any] = {}
        for name, values in self.values.items():
            summary[name] = mean(values)
            if (deviation := _deviation(values)) is not None:
                summary[f"{name}_std"] = deviation
        own = {
            "trial": self.trial,
            "metric": self.metric,
            "seeds": list(self.seeds),
            "values": {name: list(values) for name, values in self.values.items()},
            "interval": list(self.interval),
            "protocol": self.protocol,
            "finalists": [[one.trial, one.mean, one.std] for one in self.finalists],
            "trained": self.trained,
            "epochs": self.epochs,
        }
        return dict(finite({**summary, KEY: own}))

    @classmethod
    def of_look(cls, study: str, look: Look, looks: int) -> Self:
        """Read the look that ended a study; it was look number `looks` at test."""
        own = look.metrics[KEY]
        low, high = _numbers(own["interval"])
        return cls(
            study,
            look.dataset,
            own["trial"],
            own["metric"],
            tuple(own["seeds"]),
            {name: _numbers(stored) for name, stored in own["values"].items()},
            (low, high),
            look.n,
            own["protocol"],
            tuple(Finalist(*one) for one in own["finalists"]),
            own["trained"],
            looks,
            look.looked,
            own.get("epochs"),
        )


def _deviation(values: Sequence[float]) -> float | None:
    """Return a sample's standard deviation: None for one value, NaN if any is undefined."""
    if len(values) < 2:
        return None
    return stdev(values) if all(map(math.isfinite, values)) else math.nan


def _numbers(stored: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in stored)


def finish_of(study: str, looks: Iterable[Look]) -> Finish | None:
    """Return the finish of a study from its looks; None if it was not finished."""
    opened = [look for look in looks if look.split in ("test", "all")]
    for place, look in enumerate(opened, 1):
        if KEY in look.metrics:
            return Finish.of_look(study, look, sum(one.dataset == look.dataset for one in opened[:place]))
    return None
