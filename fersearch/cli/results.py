"""What ensembles, reruns and the removal of files came to, as tables for a person."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fersearch.cli import parts, words
from fersearch.cli.parts import Text

if TYPE_CHECKING:
    from fersearch.api.ensembles import Ensemble
    from fersearch.api.garbage import Garbage
    from fersearch.api.reruns import Compared, Rerun

HEAPS = {
    "released": "checkpoints given up by their study's keep policy",
    "orphaned": "checkpoints that no trial names",
    "scratch": "states of trials that have ended",
    "unfinished": "files cut off while they were written",
}
FITTED = {
    "weighted": ", and their weights were fitted on it",
    "stacking": ", and the logistic regression was fitted on it",
}


def ensemble(made: "Ensemble") -> RenderableType:
    """The steps of the selection, the members, and whether they are better than the best of them."""
    title = f"ensemble of {words.plural(len(made.members), 'model')} by {made.method} in {made.path}"
    steps = [
        (str(number), f"{step.study} trial {step.trial}", words.number(step.value), "" if step.kept else "dropped")
        for number, step in enumerate(made.steps, 1)
    ]
    members = [
        (f"{member.study} trial {member.trial}", f"{member.weight:.3g}", member.digest[:12]) for member in made.members
    ]
    metric = made.objective.metric
    scores = [
        (f"the {made.n:,} that chose it", words.number(made.value), words.number(made.single)),
        ("by folds, each judged by the choice of the others", words.number(made.fair), words.number(made.fair_single)),
    ]
    costs = ", ".join(f"{name} {words.number(value)}" for name, value in made.costs.items())
    return Group(
        parts.title(title),
        parts.table((">step", "added", f">{words.heading(made.objective)}", ""), steps),
        Text(),
        parts.table(("member", ">weight", "digest"), members),
        Text(),
        parts.table((f"{metric} on validation", ">ensemble", ">best single"), scores),
        Text(verdict(made)),
        Text("all of validation chose the members" + FITTED.get(made.method, ""), style="dim"),
        Text(f"together: {costs}", style="dim"),
    )


def verdict(made: "Ensemble") -> str:
    """Whether the ensemble is better than a single model, by the figure of images that did not choose it."""
    gain = made.objective.loss(made.fair_single) - made.objective.loss(made.fair)
    told = f"{words.number(gain)} better than" if gain > 0 else "no better than"
    return f"by folds, {told} the best single model"


def rerun(done: "Rerun") -> RenderableType:
    """The metrics of a trial beside those of its rerun, and what differs in the environment."""
    title = f"trial {done.trial} of {done.study}, again with seed {done.seed}: {words.plural(done.epochs, 'epoch')}"
    rows = [(each.name, words.number(each.stored), words.number(each.again), _told(each)) for each in done.metrics]
    below: list[RenderableType] = [Text(sameness(done))]
    if done.path:
        below.append(Text(f"the model is in {done.path}/"))
    if done.changed:
        rows_changed = [(each.name, each.stored, each.again) for each in done.changed]
        below += [Text(), parts.table(("environment", "then", "now"), rows_changed)]
    return Group(parts.title(title), parts.table(("metric", ">stored", ">again", ""), rows), Text(), *below)


def sameness(done: "Rerun") -> str:
    """Whether the rerun came out as the trial did, leaving clocks and memory out."""
    checked = sum(each.checked for each in done.metrics)
    if done.equal:
        return f"the same: {words.plural(checked, 'metric')} and the kept epoch {done.kept_epoch[0]} are equal"
    epochs = (
        ""
        if done.kept_epoch[0] == done.kept_epoch[1]
        else f"; kept epoch {done.kept_epoch[1]}, not {done.kept_epoch[0]}"
    )
    return f"not the same: the largest difference is {done.max_difference:.3g}{epochs}"


def garbage(found: "Garbage") -> RenderableType:
    """What was removed by kind, or would be, and what was left alone."""
    rows = [
        (HEAPS[kind], f"{heap.files:,}", words.megabytes(heap.bytes))
        for kind, heap in found.heaps.items()
        if heap.files
    ]
    total = f"{words.plural(found.files, 'file')}, {words.megabytes(found.bytes)}"
    told = f"{'would remove' if found.dry_run else 'removed'} {total}" if rows else "nothing to remove"
    left = [f"left alone: study {name}, which is running" for name in found.driven]
    if found.young:
        left.append(f"left alone: {words.plural(found.young, 'file')} less than an hour old that no trial names yet")
    left += [f"left alone: what {url} may need, which cannot be read now: {why}" for url, why in found.unread.items()]
    table = [parts.table(("what", ">files", ">size"), rows)] if rows else []
    return Group(*table, Text(told), *(Text(line, style="dim") for line in left))


def _told(each: "Compared") -> str:
    if not each.checked:
        return "not checked"
    return "same" if each.difference == 0 else f"differs by {each.difference:.3g}"
