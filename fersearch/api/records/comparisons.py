"""Records of comparisons between studies, and between the values of one factor."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field

from fersearch.api.records.base import Number, Part, Record, omitted

if TYPE_CHECKING:
    from fersearch.report.comparison.entries import Comparison as ComparisonView
    from fersearch.report.comparison.sweep import Sweep as SweepView
    from fersearch.report.shown import Grid, Line


class ShownLine(Part):
    """A line of text."""

    text: str
    kind: Literal["heading", "plain", "aside", "warning"]


class ShownGrid(Part):
    """A table of text."""

    titles: list[str]
    rows: list[list[str]]
    right: list[bool] = Field(description="Which columns are numeric")
    marked: list[tuple[int, int]] = Field(description="Row and column of the highlighted cells")


Shown = list[ShownLine | ShownGrid]


def shown_of(items: "Sequence[Grid | Line]") -> Shown:
    """Return lines and grids as records."""
    from fersearch.report.shown import Line

    return [ShownLine(text=one.text, kind=one.kind) if isinstance(one, Line) else _grid(one) for one in items]


def _grid(grid: "Grid") -> ShownGrid:
    rows = [list(row) for row in grid.rows]
    return ShownGrid(titles=list(grid.titles), rows=rows, right=list(grid.right), marked=sorted(grid.marked))


class ComparedTrial(Part):
    """A study in a comparison, with the trial that represents it."""

    study: str
    trial: int
    model: str
    dataset: str
    classes: list[str]
    n_valid: list[int] = Field(description="Validation images per round: the distinct counts in ascending order")
    protocol: str
    values: dict[str, Number]
    rounds: dict[str, dict[str, Number]] = Field(description="Values by number of the fold or repeat")


class PairedTest(Part):
    """Two studies compared round by round; p values by test."""

    a: str
    b: str
    n: int
    difference: Number
    low: Number
    high: Number
    wilcoxon: Number
    t: Number
    corrected: Number = Field(description="p of the t test corrected for overlapping training sets")
    holm: Number = Field(description="p after Holm's correction for several comparisons")
    d: Number = Field(
        default=None, description="Mean difference over the standard deviation of the differences (Cohen's d)"
    )
    r: Number = Field(default=None, description="Matched-pairs rank-biserial correlation")
    notes: list[str]


class UntestedPair(Part):
    """Two studies that cannot be compared by a test, and why."""

    a: str
    b: str
    why: str


class Tests(Part):
    """The paired tests of one metric."""

    tested: list[PairedTest]
    untested: list[UntestedPair]


class RankedEntry(Part):
    """An entry by its mean rank over rounds or datasets."""

    label: str
    mean_rank: float = Field(description="1 is the best")


class Ranking(Part):
    """Friedman's test of entries over the same rounds, or of models over datasets."""

    over: str = Field(description="What the blocks are")
    n: int = Field(description="How many blocks there are")
    entries: list[RankedEntry]
    chi2: Number = Field(description="Friedman's statistic, corrected for ties")
    p: Number
    f: Number = Field(description="Iman and Davenport's statistic; null where all blocks rank alike")
    p_f: Number
    w: Number = Field(description="Kendall's coefficient of concordance: the size of the effect")
    critical_difference: Number = Field(description="Nemenyi's, at level 0.05")
    notes: list[str]


class Rankings(Part):
    """The rankings by one metric, and why there are no others."""

    ranked: list[Ranking]
    undefined: list[str]


class Comparison(Record):
    """A comparison of several studies."""

    metrics: list[str]
    studies: list[ComparedTrial]
    comparable: list[list[str]] = Field(description="Groups whose values may be compared")
    tests: dict[str, Tests]
    rankings: dict[str, Rankings] = Field(default={}, description="Friedman's tests by metric")
    warnings: list[str]
    page: str | None = Field(description="The report page written; null if none")
    shown: Shown | None = omitted("The same as formatted tables, if requested")

    @classmethod
    def of(cls, view: "ComparisonView", page: str | None) -> Self:
        """Return the record of a comparison."""
        from fersearch.report.comparison import paired_tests, prose, ranking

        return cls(
            metrics=[f"{measure.name}:{measure.direction}" for measure in view.metrics],
            studies=[_compared(entry) for entry in view.entries],
            comparable=[[entry.label for entry in group] for group in view.groups],
            tests={m.name: _tests(*paired_tests.tests(view, m)) for m in view.metrics},
            rankings={m.name: _rankings(*ranking.rankings(view, m)) for m in view.metrics},
            warnings=list(prose.warnings(view)),
            page=page,
        )


class FactorValue(Part):
    """The trials with one value of a factor."""

    value: str
    trials: list[int]


class Sweep(Record):
    """One study's trials grouped by the values of one factor."""

    study: str
    factor: str
    metrics: list[str]
    values: list[FactorValue]
    equal_elsewhere: list[int] = Field(description="Trials that differ in the factor alone")
    page: str | None = Field(description="The report page written; null if none")
    shown: Shown | None = omitted("The same as formatted tables, if requested")

    @classmethod
    def of(cls, view: "SweepView", page: str | None) -> Self:
        """Return the record of a sweep."""
        from fersearch.report.comparison import sweep

        return cls(
            study=view.record.spec.name,
            factor=view.factor,
            metrics=[f"{measure.name}:{measure.direction}" for measure in view.metrics],
            values=[
                FactorValue(value=name, trials=[trial.number for trial in trials]) for name, trials in sweep.bins(view)
            ],
            equal_elsewhere=[trial.number for trial in sweep.equal_elsewhere(view)],
            page=page,
        )


def _compared(entry: Any) -> ComparedTrial:
    from fersearch.report.comparison import prose

    return ComparedTrial(
        study=entry.record.spec.name,
        trial=entry.trial.number,
        model=entry.spec.architecture,
        dataset=entry.spec.dataset,
        classes=list(entry.classes),
        n_valid=entry.validation_counts,
        protocol=prose.protocol(entry),
        values=dict(entry.trial.values),
        rounds={str(number): dict(values) for number, values in entry.rounds.items()},
    )


def _tests(pairs: Sequence[Any], others: Sequence[Any]) -> Tests:
    fields = ("n", "difference", "low", "high", "wilcoxon", "t", "corrected", "d", "r")
    tested = [
        PairedTest(
            a=test.a.label,
            b=test.b.label,
            **{name: getattr(test.result, name) for name in fields},
            holm=test.holm,
            notes=list(test.result.notes),
        )
        for test in pairs
    ]
    return Tests(
        tested=tested, untested=[UntestedPair(a=pair.a.label, b=pair.b.label, why=pair.why) for pair in others]
    )


def _rankings(rankings: Sequence[Any], why: Sequence[str]) -> Rankings:
    fields = ("n", "chi2", "p", "f", "p_f", "w")
    ranked = [
        Ranking(
            over=one.over,
            **{name: getattr(one.ranks, name) for name in fields},
            entries=[
                RankedEntry(label=label, mean_rank=mean)
                for label, mean in zip(one.labels, one.ranks.means, strict=True)
            ],
            critical_difference=one.ranks.critical,
            notes=list(one.notes),
        )
        for one in rankings
    ]
    return Rankings(ranked=ranked, undefined=list(why))
