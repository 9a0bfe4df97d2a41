"""Which pairs of entries a paired test may judge, and what it says of them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from fersearch.report.compare import DECODING, Comparison, Entry, dataset_label, judged_on
from fersearch.report.compare_stats import FEWEST, Paired, holm, paired
from fersearch.report.records import Measure
from fersearch.report.words import plural
from fersearch.space import Value


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
    """Every pair of entries by one metric; p-values are corrected over all pairs that can be tested."""
    found: list[Test] = []
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
        found.append(Test(a, b, paired(first, second, overlap(a))))
    corrected = holm([test.result.p for test in found])
    return [replace(test, holm=p) for test, p in zip(found, corrected, strict=True)], untested


def obstacle(a: Entry, b: Entry, entries: Sequence[Entry]) -> str:
    """Why the rounds of two entries are no pairs; empty if they are."""
    one, other = a.spec, b.spec
    labels = dataset_label(a, entries), dataset_label(b, entries)
    if one.dataset != other.dataset:
        return f"different datasets: {labels[0]} and {labels[1]}"
    if options := _differing(one.dataset_options, other.dataset_options):
        return f"other images: the dataset's {', '.join(options)} {'differs' if len(options) == 1 else 'differ'}"
    if protocol := _protocol(a, b):
        return f"different splits: {protocol}"
    if one.limit != other.limit:
        return f"other images: {_limit(one.limit)} against {_limit(other.limit)}"
    if not (one.protocol.in_rounds and other.protocol.in_rounds):
        return f"one of them was trained only once: it takes {FEWEST} folds or repeats of both at least"
    same_pixels = all(one.dataset_options.get(name) == other.dataset_options.get(name) for name in DECODING)
    if same_pixels and a.digest and b.digest and a.digest != b.digest:
        return "other images: the dataset's files changed between the two (another content digest)"
    if judged_on(a) != judged_on(b) or _counts_differ(a, b):
        return "other validation images: classes or their numbers differ"
    return ""


def shared_rounds(a: Entry, b: Entry, metric: str) -> list[int]:
    """The numbers of the rounds in which both have a value."""
    numbers = sorted(set(a.rounds) & set(b.rounds))
    return [
        number for number in numbers if all(math.isfinite(one.rounds[number].get(metric, math.nan)) for one in (a, b))
    ]


def overlap(entry: Entry) -> float | None:
    """Images that validate by images that train in each fold, 1 / (k - 1); None without folds."""
    protocol = entry.spec.protocol
    if not protocol.folded:
        return None
    folds = protocol.folds if protocol.split == "kfold" else max(2, round(len(entry.rounds) / protocol.repeats))
    return 1 / (folds - 1)


def _differing(one: Mapping[str, Value], other: Mapping[str, Value]) -> list[str]:
    """The options, of those that decide which images there are, whose values differ."""
    return [name for name in dict.fromkeys((*one, *other)) if name not in DECODING and one.get(name) != other.get(name)]


def _protocol(a: Entry, b: Entry) -> str:
    one, other = a.spec.protocol, b.spec.protocol
    names = ["split", "ratios", "by", "duplicates"]
    names += ["seed"] if one.split != "official" else []
    names += ["folds"] if one.split == "kfold" else []
    differing = [name for name in names if getattr(one, name) != getattr(other, name)]
    return "; ".join(f"{name} {_word(getattr(one, name))} against {_word(getattr(other, name))}" for name in differing)


def _word(value: object) -> str:
    return "/".join(f"{part:g}" for part in value) if isinstance(value, tuple) else str(value)


def _limit(limit: int | None) -> str:
    return "all images" if limit is None else f"{limit:,} images"


def _counts_differ(a: Entry, b: Entry) -> bool:
    both = set(a.per_class) & set(b.per_class)
    return any(a.per_class[number] != b.per_class[number] for number in both)


def _too_few(count: int, measure: Measure) -> str:
    return f"{plural(count, 'round')} in common with a value of {measure.label}: it takes {FEWEST} at least"
