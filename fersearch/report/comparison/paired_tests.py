"""Paired tests of two models over the same rounds, Holm's correction, and which pairs may be tested."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from fersearch.report.comparison.entries import DECODING, Comparison, Entry, dataset_label, judged_on
from fersearch.report.inputs import Measure
from fersearch.report.prose import plural
from fersearch.space import Value

LEVEL = 0.05
FEWEST = 3


@dataclass(frozen=True)
class Paired:
    """The result of paired tests of the difference a - b.

    `low` and `high` bound the mean difference with 95 % confidence, by the corrected variance where there is one.
    `wilcoxon`, `t` and `corrected` are two-sided p-values, NaN where the test does not apply; `notes` say why.
    Sizes of the effect: `d` is the mean difference in units of the differences' deviation (Cohen's d of pairs), `r`
    the matched-pairs rank-biserial correlation (Kerby 2014, doi:10.2466/11.IT.3.1), from -1 where b is better in
    every round to 1 where a is, of a metric that is better the larger it is; NaN without deviation or difference.
    """

    n: int
    difference: float
    low: float
    high: float
    wilcoxon: float
    t: float
    corrected: float
    notes: tuple[str, ...] = ()
    d: float = math.nan
    r: float = math.nan

    @property
    def p(self) -> float:
        """The p-value to report: the corrected one under folds, the paired t-test's elsewhere."""
        return self.t if math.isnan(self.corrected) else self.corrected


def paired(a: Sequence[float], b: Sequence[float], ratio: float | None = None) -> Paired:
    """Test whether paired values differ in the mean.

    Wilcoxon's signed-rank test (zero differences left out), Student's paired t-test, and, where training sets
    overlap, the corrected resampled t-test of Nadeau & Bengio (2003, doi:10.1023/A:1024068626366), whose variance
    of the mean is (1/n + ratio) s².

    Args:
        a: at least two values, one a round.
        b: as many values of the same rounds.
        ratio: validation images divided by training images, in each round; None where training sets do not
            overlap as the correction assumes.
    """
    differences = [x - y for x, y in zip(a, b, strict=True)]
    n, mean, std = len(differences), statistics.fmean(differences), statistics.stdev(differences)
    if std <= 1e-12 * max(map(abs, (*a, *b)), default=1.0):
        return _constant(n, mean, ratio)
    plain = std / math.sqrt(n)
    wide = plain if ratio is None else std * math.sqrt(1 / n + ratio)
    low, high = _interval(mean, wide, n)
    corrected = math.nan if ratio is None else _p(mean, wide, n)
    test, notes = _wilcoxon(differences)
    return Paired(
        n, mean, low, high, test, _p(mean, plain, n), corrected, notes, mean / std, _rank_biserial(differences)
    )


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down method (1979); NaN stays and does not count."""
    order = sorted((i for i, value in enumerate(values) if not math.isnan(value)), key=lambda i: values[i])
    corrected, highest = list(values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * values[i]))
        corrected[i] = highest
    return corrected


def least_wilcoxon(n: int) -> float:
    """Return the smallest two-sided p-value that Wilcoxon's signed-rank test can give for `n` differences that are
    not 0."""
    return float(min(1.0, 2.0 ** (1 - n)))


def _constant(n: int, mean: float, ratio: float | None) -> Paired:
    if abs(mean) < 1e-12:
        same = 1.0
        corrected = math.nan if ratio is None else same
        return Paired(n, 0.0, 0.0, 0.0, same, same, corrected, ("the values are equal in every round",))
    test, notes = _wilcoxon([mean] * n)
    why = "the difference is the same in every round, so that a t-test is not defined"
    return Paired(n, mean, mean, mean, test, math.nan, math.nan, (why, *notes), r=math.copysign(1.0, mean))


def _rank_biserial(differences: Sequence[float]) -> float:
    from scipy.stats import rankdata

    apart = _apart(differences)
    ranks: list[float] = rankdata([abs(value) for value in apart]).tolist()
    return sum(math.copysign(rank, value) for rank, value in zip(ranks, apart, strict=True)) / sum(ranks)


def _apart(differences: Sequence[float]) -> list[float]:
    """Return the differences that are not 0, rounded so that ties remain ties."""
    return [float(f"{value:.10g}") for value in differences if abs(value) > 1e-12]


def _wilcoxon(differences: Sequence[float]) -> tuple[float, tuple[str, ...]]:
    from scipy.stats import wilcoxon

    apart = _apart(differences)
    least = least_wilcoxon(len(apart))
    notes = (f"Wilcoxon's p is {least:.3g} at least",) if least > LEVEL else ()
    return float(wilcoxon(apart).pvalue), notes


def _p(mean: float, error: float, n: int) -> float:
    from scipy.stats import t

    return float(2 * t.sf(abs(mean) / error, n - 1))


def _interval(mean: float, error: float, n: int) -> tuple[float, float]:
    from scipy.stats import t

    half = float(t.ppf(1 - LEVEL / 2, n - 1)) * error
    return mean - half, mean + half


@dataclass(frozen=True)
class Test:
    """Two entries, tested over their shared rounds by one metric; `holm` is the corrected p-value."""

    __test__ = False  # no test of pytest's

    a: Entry
    b: Entry
    result: Paired
    holm: float = math.nan


@dataclass(frozen=True)
class Untested:
    """Two entries between which no paired test is possible, and why."""

    a: Entry
    b: Entry
    why: str


def tests(comparison: Comparison, measure: Measure) -> tuple[list[Test], list[Untested]]:
    """Return every pair of entries by one metric; p-values are corrected over all pairs that can be tested."""
    tested: list[Test] = []
    untested: list[Untested] = []
    for a, b in combinations(comparison.entries, 2):
        if why := obstacle(a, b, comparison.entries):
            untested.append(Untested(a, b, why))
            continue
        shared = shared_rounds(a, b, measure.name)
        if len(shared) < FEWEST:
            untested.append(Untested(a, b, _too_few(len(shared), measure)))
            continue
        first, second = ([one.rounds[number][measure.name] for number in shared] for one in (a, b))
        tested.append(Test(a, b, paired(first, second, overlap(a))))
    corrected = holm([test.result.p for test in tested])
    return [replace(test, holm=p) for test, p in zip(tested, corrected, strict=True)], untested


def obstacle(a: Entry, b: Entry, entries: Sequence[Entry]) -> str:
    """Return why the rounds of two entries are not pairs; empty if they are."""
    one, other = a.spec, b.spec
    labels = dataset_label(a, entries), dataset_label(b, entries)
    if one.dataset != other.dataset:
        return f"different datasets: {labels[0]} and {labels[1]}"
    if options := _differing(one.dataset_options, other.dataset_options):
        return f"different images: the dataset's {', '.join(options)} {'differs' if len(options) == 1 else 'differ'}"
    if protocol := _protocol(a, b):
        return f"different splits: {protocol}"
    if one.limit != other.limit:
        return f"different images: {_limit(one.limit)} against {_limit(other.limit)}"
    if not (one.protocol.in_rounds and other.protocol.in_rounds):
        return f"one of them was trained only once; a paired test needs at least {FEWEST} folds or repeats of both"
    same_pixels = all(one.dataset_options.get(name) == other.dataset_options.get(name) for name in DECODING)
    if same_pixels and a.digest and b.digest and a.digest != b.digest:
        return "different images: the dataset's files changed between the two (different content digests)"
    if judged_on(a) != judged_on(b) or _counts_differ(a, b):
        return "different validation images: the classes or their counts differ"
    return ""


def shared_rounds(a: Entry, b: Entry, metric: str) -> list[int]:
    """Return the numbers of the rounds in which both have a value."""
    numbers = sorted(set(a.rounds) & set(b.rounds))
    return [
        number for number in numbers if all(math.isfinite(one.rounds[number].get(metric, math.nan)) for one in (a, b))
    ]


def overlap(entry: Entry) -> float | None:
    """Return the ratio of validation to training images in each fold, 1 / (k - 1); None without folds."""
    protocol = entry.spec.protocol
    if not protocol.folded:
        return None
    folds = protocol.folds if protocol.split == "kfold" else max(2, round(len(entry.rounds) / protocol.repeats))
    return 1 / (folds - 1)


def _differing(one: Mapping[str, Value], other: Mapping[str, Value]) -> list[str]:
    """Return the options that decide which images a dataset has and whose values differ."""
    return [name for name in dict.fromkeys((*one, *other)) if name not in DECODING and one.get(name) != other.get(name)]


def _protocol(a: Entry, b: Entry) -> str:
    one, other = a.spec.protocol, b.spec.protocol
    names = ["split", "ratios", "by", "duplicates"]
    names += ["split_seed"] if one.split != "official" else []
    names += ["folds"] if one.split == "kfold" else []
    differing = [name for name in names if getattr(one, name) != getattr(other, name)]
    return "; ".join(f"{name} {_text(getattr(one, name))} against {_text(getattr(other, name))}" for name in differing)


def _text(value: object) -> str:
    return "/".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)


def _limit(limit: int | None) -> str:
    return "all images" if limit is None else f"{limit:,} images"


def _counts_differ(a: Entry, b: Entry) -> bool:
    both = set(a.per_class) & set(b.per_class)
    return any(a.per_class[number] != b.per_class[number] for number in both)


def _too_few(count: int, measure: Measure) -> str:
    return f"{plural(count, 'round')} in common with a value of {measure.label}; a paired test needs at least {FEWEST}"
