"""What ensembles and reruns came to, as tables for a person."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from fersearch.cli import parts, words

if TYPE_CHECKING:
    from fersearch.api.ensembles import Ensemble

FITTED = {
    "weighted": "weights were fitted there too",
    "stacking": "the logistic regression was fitted there too",
}


def ensemble(made: "Ensemble") -> RenderableType:
    """The steps of the selection, the members, and whether they are better than the best of them."""
    title = f"ensemble of {words.plural(len(made.members), 'model')} by {made.method} in {made.path}"
    steps = [
        (str(number), f"{step.study} trial {step.trial}", words.number(step.value), "" if step.kept else "dropped")
        for number, step in enumerate(made.steps, 1)
    ]
    members = [
        (f"{member.study} trial {member.trial}", words.number(member.weight), member.digest[:12])
        for member in made.members
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
        Text(f"together: {costs}", style="dim"),
    )


def verdict(made: "Ensemble") -> str:
    """Whether the ensemble is better than a single model, by the figure that did not choose it."""
    gain = made.objective.loss(made.fair_single) - made.objective.loss(made.fair)
    told = "better than" if gain > 0 else "no better than"
    fitted = f"; {FITTED[made.method]}" if made.method in FITTED else ""
    return (
        f"{told} the best single model by {words.number(abs(gain))}, as far as folds of validation can tell "
        f"(members were chosen on all of it{fitted})"
    )
