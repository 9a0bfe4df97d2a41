"""The sentences of a comparison: how each study evaluated, what may not be compared, and which entry is best."""

import math
from collections.abc import Sequence

from fersearch.formatting import listed
from fersearch.report.comparison.entries import Comparison, Entry, Group, best_of, dataset_label
from fersearch.report.comparison.paired_tests import LEVEL, Test
from fersearch.report.inputs import Measure
from fersearch.report.prose import DEFAULT_RATIOS, plural
from fersearch.report.tables import number, text
from fersearch.study import Protocol

NOISY = ("_seconds", "_ms", "_mb")
TIE = 0.05
"""Relative variation of clocks and allocators between equal runs."""
NARRATED = ("accuracy", "f1_macro", "auc_macro", "train_seconds", "peak_memory_mb")
BY = {"auto": "by subject or class", "chance": "at random", "class": "stratified", "subject": "by subject"}


def protocol(entry: Entry) -> str:
    """Return how a study evaluated, in one line: `5 folds stratified, seed 42, 3 repeats, 2,000 images`."""
    settings = entry.spec.protocol
    parts = [_split(settings)]
    parts += [plural(settings.repeats, "repeat")] if settings.repeats > 1 else []
    parts += [f"limited to {entry.spec.limit:,} images"] if entry.spec.limit is not None else []
    parts += ["duplicates dropped"] if settings.duplicates == "drop" else []
    parts += ["near-duplicates dropped"] if settings.duplicates == "near" else []
    return ", ".join(parts)


def validation_images(entry: Entry) -> str | None:
    """Return the validation images of a round: a number, or from the least to the most."""
    if not entry.validation_counts:
        return None
    low, high = entry.validation_counts[0], entry.validation_counts[-1]
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def warnings(comparison: Comparison) -> list[str]:
    """Return warnings about what limits a comparison: other classes, images, splits or objectives."""
    lines = [*comparison.left_out, *_incomparable(comparison)]
    firsts: dict[str, str] = {}
    for entry in comparison.entries:
        firsts.setdefault(str(entry.spec.objectives[0]), entry.label)
    if len(firsts) > 1:
        choices = "; ".join(f"{label} by {objective}" for objective, label in firsts.items())
        lines.append(f"Trials and epochs were selected by different objectives: {choices}.")
    for entry in comparison.entries:
        if _no_better(entry):
            lines.append(
                f"Trial {entry.trial.number} of {entry.label} is no better than always predicting the largest class."
            )
    if any(len({len(entry.rounds) for entry in group}) > 1 for group in comparison.groups):
        lines.append("Some entries have more rounds than others: their standard deviations are not over equally many.")
    return lines


def narrative(comparison: Comparison, tests: Sequence[Test]) -> list[str]:
    """Return a sentence for each group that may be compared on which entry has the best accuracy, F1, AUC, time and
    memory, and one on the paired tests."""
    lines = [line for group in comparison.groups if len(group) > 1 and (line := _group_narrative(comparison, group))]
    if not lines and len(comparison.entries) > 1:
        return ["No two entries were evaluated on the same images, so none can be called the best."]
    significant = sum(test.holm < LEVEL for test in tests)
    if tests:
        lead = comparison.metrics[0].label
        lines.append(
            f"Of {plural(len(tests), 'pair')} tested over the same rounds, {significant or 'none'} "
            f"{'differ' if significant > 1 else 'differs'} significantly in {lead} (level {LEVEL:g}, Holm-corrected)."
        )
    return lines


def average_narrative(models: Sequence[str], averages: Sequence[tuple[Measure, Sequence[float]]]) -> str:
    """Return which model is best on average over the datasets of a grid; empty where no model covers all."""
    clauses = []
    for measure, values in averages:
        defined = [(value, model) for model, value in zip(models, values, strict=True) if math.isfinite(value)]
        if len(defined) > 1:
            value, model = max(defined) if measure.direction == "max" else min(defined)
            clauses.append(f"{_superlative(measure)} {model} ({number(value)})")
    return f"Averaged over the datasets: {listed(clauses)}." if clauses else ""


def equal_costs(measure: Measure, a: float, b: float) -> bool:
    """Return whether two times or memories are so close that their difference is meaningless."""
    return measure.name.endswith(NOISY) and abs(a - b) <= TIE * max(abs(a), abs(b))


def _split(protocol: Protocol) -> str:
    drawn = f"{BY[protocol.by]}, seed {protocol.split_seed}"
    if protocol.split == "kfold":
        return f"{protocol.folds} folds {drawn}"
    shares = "/".join(f"{100 * ratio:g}" for ratio in protocol.ratios or DEFAULT_RATIOS)
    texts = {
        "official": "official split",
        "auto": f"the dataset's split, else drawn {drawn}",
        "ratios": f"{shares} {drawn}",
        "loso": "one subject left out",
    }
    return texts[protocol.split]


def _incomparable(comparison: Comparison) -> list[str]:
    """Return a warning for each dataset whose entries were evaluated in several ways."""
    lines = []
    labels = [dataset_label(group[0], comparison.entries) for group in comparison.groups]
    for name in dict.fromkeys(labels):
        groups = [group for group, label in zip(comparison.groups, labels, strict=True) if label == name]
        if len(groups) > 1:
            ways = "; ".join(map(_evaluated_on, groups))
            lines.append(f"Not comparable: n, classes or split differ on {name}: {ways}.")
    return lines


def _evaluated_on(group: Group) -> str:
    first = group[0]
    labels = [entry.label for entry in group]
    entries = ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")
    classes = f"{first.num_classes} classes" if first.num_classes else "classes unknown"
    images = f"{validation_images(first)} validation images" if first.validation_counts else "images unknown"
    return f"{entries} ({classes}, {images}, {protocol(first)})"


def _no_better(entry: Entry) -> bool:
    first = entry.spec.objectives[0]
    floor = entry.record.baseline.get(first.metric)
    return floor is not None and first.loss(entry.value(first.metric)) >= first.loss(floor)


def _group_narrative(comparison: Comparison, group: Group) -> str:
    names = dict.fromkeys((comparison.metrics[0].name, *NARRATED))
    clauses = []
    for measure in (comparison.measure(name) for name in names):
        ranked = best_of(group, measure)
        if len(ranked) < 2:
            continue
        best, second = ranked[0], ranked[1]
        close = equal_costs(measure, best.value(measure.name), second.value(measure.name))
        near = f", about as {second.label}" if close else ""
        clauses.append(f"{_superlative(measure)} {best.label} ({text(best.cell(measure.name))}{near})")
    where = dataset_label(group[0], comparison.entries)
    return f"On {where}, of {len(group)}: {listed(clauses)}." if clauses else ""


def _superlative(measure: Measure) -> str:
    """Return `best accuracy` or `lowest train seconds (s)`."""
    return f"{'best' if measure.direction == 'max' else 'lowest'} {measure.label}"


def sentence(text: str) -> str:
    """Return the text with a capital at the start."""
    return text[:1].upper() + text[1:]
