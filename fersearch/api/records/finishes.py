"""The record of a study's finish."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from pydantic import Field

from fersearch.api.records.base import Number, Part, Record

if TYPE_CHECKING:
    from fersearch.api.results import Finish as FinishView


class Finalist(Part):
    """A trial of the front that was trained again."""

    trial: int
    mean: Number = Field(description="The first objective on validation, mean over the seeds")
    std: Number = Field(description="Standard deviation over the seeds; null for a single seed")


class Finish(Record):
    """The result of a finished study: its pick, evaluated on test, which was opened once."""

    study: str
    dataset: str
    trial: int = Field(description="Number of the picked trial in the search")
    metric: str
    mean: Number = Field(description="Mean of the metric on test over the seeds")
    std: Number = Field(description="Standard deviation over the seeds; null for a single seed")
    interval: tuple[Number, Number] = Field(description="Bootstrap 95 % interval of the mean, over images and seeds")
    n: int = Field(description="Test images")
    seeds: list[int]
    values: dict[str, list[Number]] = Field(description="Every metric on test, by seed")
    looks: int = Field(description="How often test has been opened so far, including this time")
    looked: datetime | None
    protocol: str
    finalists: list[Finalist]
    trained: str = Field(description="The study that trained the finalists")
    epochs: int | None = Field(description="Epochs they were trained; null: as in the search")
    line: str = Field(description="The result as a line for a paper")

    @classmethod
    def of(cls, finish: "FinishView") -> Self:
        """Return the record of a finish."""
        same = ("study", "dataset", "trial", "metric", "mean", "std", "interval", "n", "looks", "looked", "protocol")
        return cls(
            **{name: getattr(finish, name) for name in (*same, "trained", "epochs", "line")},
            seeds=list(finish.seeds),
            values={name: list(values) for name, values in finish.values.items()},
            finalists=[Finalist(trial=one.trial, mean=one.mean, std=one.std) for one in finish.finalists],
        )
