"""Render results about models: predictions, evaluations, ensembles, reruns, removed files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fersearch import formatting
from fersearch.cli import parts
from fersearch.cli.parts import Cell, Text

if TYPE_CHECKING:
    from fersearch.api.results import (
        CheckpointEvaluation,
        Compared,
        Ensemble,
        EvaluationView,
        ExportedModel,
        Garbage,
        Prediction,
        Rerun,
    )


SHOWN = ("accuracy", "balanced_accuracy", "f1_macro", "f1_weighted", "auc_macro", "log_loss")
HEAPS = {
    "released": "checkpoints released by their study's keep policy",
    "orphaned": "checkpoints that no trial refers to",
    "scratch": "states of trials that have ended",
    "unfinished": "partially written files",
}
FITTED = {
    "weighted": ", and their weights were fitted on it",
    "stacking": ", and the logistic regression was fitted on it",
}


def predictions(predictions: "Sequence[Prediction]", faces: bool = False) -> RenderableType:
    """Return a table with a row per image or face: its label, and the two next likely classes."""
    rows = []
    for one in predictions:
        ranked = sorted(one.probabilities.items(), key=lambda item: -item[1])
        others = ", ".join(f"{name} {p:.2f}" for name, p in ranked[1:3])
        where = (_place(one),) if faces else ()
        rows.append((str(one.image), *where, one.label, f"{ranked[0][1]:.2f}", others))
    return parts.table(("image", *(("face",) if faces else ()), "label", ">probability", "then"), rows)


def tally(labels: Mapping[str, int], note: str) -> RenderableType:
    """Return a table of how often each label was predicted, and a note below it."""
    total = sum(labels.values())
    rows = [(name, f"{count:,}", f"{count / total:.1%}") for name, count in Counter(labels).most_common()]
    return Group(parts.table(("label", ">images", ">share"), rows), Text(note))


def evaluation(view: "EvaluationView") -> RenderableType:
    """Return a checkpoint's metrics on one split, by class and by source, and its confusion matrix."""
    blocks: list[RenderableType] = [parts.title(f"{view.dataset}, {view.split}: n = {view.n:,}")]
    if view.full:
        blocks += [_crossing(view), Text()]
    blocks.append(_metrics(view))
    if view.per_class:
        blocks += [Text(), _per_class(view.per_class)]
    if view.confusion:
        named = zip(view.classes, view.confusion, strict=True)
        rows = [(name, *map(str, row)) for name, row in named]
        blocks += [Text(), parts.table(("true \\ predicted", *(f">{name}" for name in view.classes)), rows)]
    if view.per_source:
        sources = [
            (name, f"{one['n']:,}", formatting.number(one["accuracy"]), formatting.number(one["baseline"]))
            for name, one in view.per_source.items()
        ]
        blocks += [Text(), parts.table(("source", ">n", ">accuracy", ">baseline"), sources)]
    return Group(*blocks, *(Text(line, style="dim") for line in _notes(view)))


def examined(evaluations: "Sequence[CheckpointEvaluation]") -> RenderableType:
    """Return a table with a row per checkpoint and a column for each of `SHOWN` that any of them has."""
    views = [one.view for one in evaluations if one.view]
    metrics = [name for name in SHOWN if any(name in view.metrics for view in views)]
    both = any(view.full for view in views)
    titles = ["checkpoint", "dataset", "split", ">n", *(f">{name}" for name in metrics), *([">full"] if both else [])]
    rows: list[Sequence[parts.Cell]] = []
    for one in evaluations:
        if one.view is None:
            rows.append((str(one.checkpoint), Text("failed", style="red"), *[""] * (len(titles) - 2)))
            continue
        view = one.view
        full = [formatting.number(view.full.metrics.get(SHOWN[0])) if view.full else ""] if both else []
        cells = [formatting.number(view.metrics.get(name)) for name in metrics]
        rows.append((str(one.checkpoint), view.dataset, view.split, f"{view.n:,}", *cells, *full))
    note = f"full: {SHOWN[0]} with predictions over all outputs"
    return Group(parts.table(titles, rows), *([Text(note, style="dim")] if both else []))


def _place(one: "Prediction") -> str:
    return f"{one.box[2]}x{one.box[3]} at {one.box[0]},{one.box[1]}" if one.box else "none, whole image"


def _crossing(view: "EvaluationView") -> RenderableType:
    pairs = [name if name == output else f"{name} = {output}" for name, output in view.shared.items()]
    missing = [f"{name} ({formatting.plural(n, 'image')})" for name, n in view.left_out.items()]
    return parts.facts(
        {"shared": ", ".join(pairs), "left out": ", ".join(missing), "other outputs": ", ".join(view.spare)}
    )


def _metrics(view: "EvaluationView") -> RenderableType:
    if not view.full:
        return parts.table(("metric", ">value"), [(name, formatting.number(v)) for name, v in view.metrics.items()])
    full = view.full.metrics
    rows = [(name, formatting.number(value), formatting.number(full.get(name))) for name, value in view.metrics.items()]
    return parts.table(("metric", ">restricted", ">full"), rows)


def _per_class(scores: Mapping[str, Mapping[str, float]]) -> RenderableType:
    names = [name for name in next(iter(scores.values())) if name != "support"]
    rows = [
        (label, *(formatting.number(values[name]) for name in names), f"{int(values['support']):,}")
        for label, values in scores.items()
    ]
    return parts.table(("class", *(f">{name}" for name in names), ">support"), rows)


def _notes(view: "EvaluationView") -> list[str]:
    notes = []
    if view.full:
        notes.append("restricted: predictions are the likeliest shared class; full: the likeliest of all outputs")
        notes.append("classes and confusion are of the restricted predictions")
    if view.duplicates is not None:
        notes.append(f"{formatting.plural(view.duplicates, 'image')} left out because they also occur in train")
    if view.looks:
        notes.append(f"this was look {view.looks} at the test split")
    return notes


def ensemble(result: "Ensemble") -> RenderableType:
    """Return tables of an ensemble: selection steps, members, and its score beside its best member's."""
    title = f"ensemble of {formatting.plural(len(result.members), 'model')} by {result.method} in {result.path}"
    steps = [
        (str(number), f"{step.study} trial {step.trial}", formatting.number(step.value), "" if step.kept else "dropped")
        for number, step in enumerate(result.steps, 1)
    ]
    members = [
        (f"{member.study} trial {member.trial}", f"{member.weight:.3g}", member.digest[:12])
        for member in result.members
    ]
    metric = result.objective.metric
    scores = [
        (
            f"the {result.n:,} images that selected it",
            formatting.number(result.value),
            formatting.number(result.single),
        ),
        (
            "cross-validated",
            formatting.number(result.fair),
            formatting.number(result.fair_single),
        ),
    ]
    costs = ", ".join(f"{name} {formatting.number(value)}" for name, value in result.costs.items())
    return Group(
        parts.title(title),
        parts.table((">step", "added", f">{formatting.heading(result.objective)}", ""), steps),
        Text(),
        parts.table(("member", ">weight", "digest"), members),
        Text(),
        parts.table((f"{metric} on validation", ">ensemble", ">best single"), scores),
        Text(verdict(result)),
        Text("all validation images selected the members" + FITTED.get(result.method, ""), style="dim"),
        Text(f"together: {costs}", style="dim"),
    )


def verdict(result: "Ensemble") -> str:
    """Return by how much the ensemble is better than its best member on folds that did not select it."""
    gain = result.objective.loss(result.fair_single) - result.objective.loss(result.fair)
    comparison = f"{formatting.number(gain)} better than" if gain > 0 else "no better than"
    return f"cross-validated, it is {comparison} the best single model"


def rerun(done: "Rerun") -> RenderableType:
    """Return a table of a trial's metrics beside its rerun's, and the differences of the environment."""
    epochs = formatting.plural(done.epochs, "epoch")
    title = f"trial {done.trial} of {done.study}, retrained with seed {done.seed}: {epochs}"
    rows = [
        (each.name, formatting.number(each.stored), formatting.number(each.again), _difference(each))
        for each in done.metrics
    ]
    below: list[RenderableType] = [Text(sameness(done))]
    if done.path:
        below.append(Text(f"the model is in {done.path}/"))
    if done.changed:
        rows_changed = [(each.name, each.stored, each.again) for each in done.changed]
        below += [Text(), parts.table(("environment", "then", "now"), rows_changed)]
    return Group(parts.title(title), parts.table(("metric", ">stored", ">again", ""), rows), Text(), *below)


def sameness(done: "Rerun") -> str:
    """Return a line: whether the rerun reproduced the trial, by the metrics that are checked."""
    checked = sum(each.checked for each in done.metrics)
    if done.equal:
        return f"the same: {formatting.plural(checked, 'metric')} and the kept epoch {done.kept_epoch[0]} are equal"
    epochs = (
        ""
        if done.kept_epoch[0] == done.kept_epoch[1]
        else f"; kept epoch {done.kept_epoch[1]}, not {done.kept_epoch[0]}"
    )
    return f"not the same: the largest difference is {done.max_difference:.3g}{epochs}"


def garbage(view: "Garbage") -> RenderableType:
    """Return a table of the files that were removed (or would be) by kind, and why others were left."""
    rows = [
        (HEAPS[kind], f"{heap.files:,}", formatting.megabytes(heap.bytes))
        for kind, heap in view.heaps.items()
        if heap.files
    ]
    total = f"{formatting.plural(view.files, 'file')}, {formatting.megabytes(view.bytes)}"
    summary = f"{'would remove' if view.dry_run else 'removed'} {total}" if rows else "nothing to remove"
    skipped = [f"skipped: study {name}, which is running" for name in view.driven]
    if view.young:
        skipped.append(
            f"skipped: {formatting.plural(view.young, 'file')} less than an hour old that no trial refers to yet"
        )
    skipped += [
        f"skipped: files that {url} may need, which cannot be read now: {why}" for url, why in view.unread.items()
    ]
    table = [parts.table(("what", ">files", ">size"), rows)] if rows else []
    return Group(*table, Text(summary), *(Text(line, style="dim") for line in skipped))


def _difference(each: "Compared") -> str:
    if not each.checked:
        return "not checked"
    return "same" if each.difference == 0 else f"differs by {each.difference:.3g}"


def exported(model: "ExportedModel") -> RenderableType:
    """Return the facts of an exported model: path, size, parity check, latency, quantization."""
    entry = model.entry
    parity, latency = entry["parity"], entry["latency"]
    beside = (
        f"; {left_out:,} left out, where rounding decides a vote" if (left_out := parity.get("left_out", 0)) else ""
    )
    real = f"{parity['n']:,} {'generated' if parity['parity_on'] == 'generated' else 'validation'} images"
    facts: dict[str, Cell] = {
        "file": str(model.path),
        "size": formatting.megabytes(entry["bytes"]),
        "same predictions": f"probabilities differ by {parity['max_difference']:.2g} at most, on {real}{beside}",
        "time": f"{latency['median_ms']:.2f} ms an image (median of {latency['runs']} runs in one thread)",
    }
    if quantization := entry["quantization"]:
        before, after = quantization["f1_macro_before"], quantization["f1_macro"]
        facts["eight bits"] = f"macro F1 {after:.4f} on validation, {before:.4f} before (n = {quantization['n']:,})"
    return parts.facts(facts)
