"""What a model says about images and how right it is, as tables for a person."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fersearch.cli import parts, words
from fersearch.cli.parts import Text

if TYPE_CHECKING:
    from fersearch.api.evaluating import EvaluationView
    from fersearch.api.examining import Examined
    from fersearch.api.predicting import Prediction

SHOWN = ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "auc_macro", "log_loss")


def predictions(found: "Sequence[Prediction]", faces: bool = False) -> RenderableType:
    """One row an image or face: its label, and the two classes next in line."""
    rows = []
    for one in found:
        ranked = sorted(one.probabilities.items(), key=lambda item: -item[1])
        others = ", ".join(f"{name} {p:.2f}" for name, p in ranked[1:3])
        where = (_place(one),) if faces else ()
        rows.append((str(one.image), *where, one.label, f"{ranked[0][1]:.2f}", others))
    return parts.table(("image", *(("face",) if faces else ()), "label", ">probability", "then"), rows)


def tally(labels: Mapping[str, int], told: str) -> RenderableType:
    """How often each label was given, and where the rest is to be read."""
    total = sum(labels.values())
    rows = [(name, f"{count:,}", f"{count / total:.1%}") for name, count in Counter(labels).most_common()]
    return Group(parts.table(("label", ">images", ">share"), rows), Text(told))


def evaluation(view: "EvaluationView") -> RenderableType:
    """Metrics of a checkpoint on one split, class by class and source by source, and its confusion matrix."""
    found: list[RenderableType] = [parts.title(f"{view.dataset}, {view.split}: n = {view.n:,}")]
    if view.full:
        found += [_crossing(view), Text()]
    found.append(_metrics(view))
    if view.per_class:
        found += [Text(), _per_class(view.per_class)]
    if view.confusion:
        named = zip(view.classes, view.confusion, strict=True)
        rows = [(name, *map(str, row)) for name, row in named]
        found += [Text(), parts.table(("true \\ called", *(f">{name}" for name in view.classes)), rows)]
    if view.per_source:
        sources = [
            (name, f"{one['n']:,}", words.number(one["accuracy"]), words.number(one["baseline"]))
            for name, one in view.per_source.items()
        ]
        found += [Text(), parts.table(("source", ">n", ">accuracy", ">baseline"), sources)]
    return Group(*found, *(Text(line, style="dim") for line in _notes(view)))


def examined(found: "Sequence[Examined]") -> RenderableType:
    """One row a checkpoint; the columns are a choice of the metrics."""
    views = [one.view for one in found if one.view]
    metrics = [name for name in SHOWN if any(name in view.metrics for view in views)]
    both = any(view.full for view in views)
    titles = ["checkpoint", "dataset", "split", ">n", *(f">{name}" for name in metrics), *([">full"] if both else [])]
    rows: list[Sequence[parts.Cell]] = []
    for one in found:
        if one.view is None:
            rows.append((str(one.checkpoint), Text("failed", style="red"), *[""] * (len(titles) - 2)))
            continue
        view = one.view
        full = [words.number(view.full.metrics.get(SHOWN[0])) if view.full else ""] if both else []
        cells = [words.number(view.metrics.get(name)) for name in metrics]
        rows.append((str(one.checkpoint), view.dataset, view.split, f"{view.n:,}", *cells, *full))
    note = f"full: {SHOWN[0]} where answers are not restricted to the shared classes"
    return Group(parts.table(titles, rows), *([Text(note, style="dim")] if both else []))


def _place(one: "Prediction") -> str:
    return f"{one.box[2]}x{one.box[3]} at {one.box[0]},{one.box[1]}" if one.box else "none, whole image"


def _crossing(view: "EvaluationView") -> RenderableType:
    pairs = [name if name == output else f"{name} = {output}" for name, output in view.shared.items()]
    missing = [f"{name} ({words.plural(n, 'image')})" for name, n in view.left_out.items()]
    return parts.facts(
        {"shared": ", ".join(pairs), "left out": ", ".join(missing), "other outputs": ", ".join(view.spare)}
    )


def _metrics(view: "EvaluationView") -> RenderableType:
    if not view.full:
        return parts.table(("metric", ">value"), [(name, words.number(v)) for name, v in view.metrics.items()])
    full = view.full.metrics
    rows = [(name, words.number(value), words.number(full.get(name))) for name, value in view.metrics.items()]
    return parts.table(("metric", ">restricted", ">full"), rows)


def _per_class(found: Mapping[str, Mapping[str, float]]) -> RenderableType:
    names = [name for name in next(iter(found.values())) if name != "support"]
    rows = [
        (label, *(words.number(values[name]) for name in names), f"{int(values['support']):,}")
        for label, values in found.items()
    ]
    return parts.table(("class", *(f">{name}" for name in names), ">support"), rows)


def _notes(view: "EvaluationView") -> list[str]:
    notes = []
    if view.full:
        notes.append("restricted: the answer is the likeliest of the shared classes; full: of all outputs")
        notes.append("classes and confusion are those of the restricted answers")
    if view.duplicates is not None:
        notes.append(f"{words.plural(view.duplicates, 'image')} left out: they also occur in train")
    if view.looks:
        notes.append(f"this was look {view.looks} at the test split")
    return notes
