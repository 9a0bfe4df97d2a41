"""Records of charts, by columns, because they hold thousands of trials."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from fersearch.api.records.base import Number, Part, Record, Value

if TYPE_CHECKING:
    from fersearch.api.results import StudyChart as StudyChartView
    from fersearch.api.results import TrialChart as TrialChartView


class ChartMetric(Part):
    """A metric as an axis needs it."""

    label: str
    direction: str = Field(description="max or min")
    log: bool


class StudyChart(Record):
    """A study as charts draw it; every column has one entry for each trial."""

    objectives: list[str] = Field(description="Metrics, the first ranks checkpoints")
    metrics: dict[str, ChartMetric]
    number: list[int]
    state: list[str]
    epochs: list[int]
    values: dict[str, list[Number]]
    params: dict[str, list[Value | None]] = Field(description="Parameters that differ between trials")
    front: list[int] = Field(description="Numbers of the front's trials, best first")
    hypervolume: list[tuple[int, float]] = Field(
        description="Number of ended trials, and share of the current hypervolume at that point"
    )
    stopped: dict[int, dict[str, Any]] = Field(description="Decisions on the latest trials that were stopped early")
    baseline: dict[str, Number]
    picks: dict[str, int] = Field(description="The trial of the front that each rule selects: best, cheapest, knee")
    disturbed: list[int] = Field(description="Trials that other work slowed, so that wall times are unreliable")
    rough_latency: list[int] = Field(description="Trials whose latency was measured next to other work")

    @classmethod
    def of(cls, chart: "StudyChartView") -> Self:
        """Return the record of a study's chart."""
        directions = {objective.metric: objective.direction for objective in chart.objectives}
        metrics = {
            name: ChartMetric(label=one.label, direction=directions.get(name, one.direction), log=one.log)
            for name, one in chart.measures.items()
        }
        columns: dict[str, Any] = {name: getattr(chart, name) for name in ("values", "params", "front", "stopped")}
        return cls(
            objectives=list(directions),
            metrics=metrics,
            number=list(chart.numbers),
            state=list(chart.states),
            epochs=list(chart.epochs),
            hypervolume=list(chart.hypervolume),
            baseline=dict(chart.baseline),
            picks=dict(chart.picks),
            disturbed=list(chart.disturbed),
            rough_latency=list(chart.rough_latency),
            **columns,
        )


class ClassScore(Part):
    """Scores of one class; null where no image was predicted as, or belongs to, that class."""

    name: str
    precision: Number
    recall: Number
    f1: Number
    support: int


class TrialChart(Record):
    """A trial's confusion matrix at its kept epoch, and what follows from it."""

    classes: list[str]
    confusion: list[list[int]] | None = Field(description="Counts, the true class by row; null without a matrix")
    scores: list[ClassScore]

    @classmethod
    def of(cls, chart: "TrialChartView") -> Self:
        """Return the record of a trial's chart."""
        scores = [ClassScore(**vars(score)) for score in chart.scores]
        return cls(classes=list(chart.classes), confusion=chart.confusion, scores=scores)
