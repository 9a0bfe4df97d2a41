"""Render one study: its request, its progress, its search space."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from fersearch import formatting
from fersearch.cli.parts import Cell, Text, facts, moment, table, title
from fersearch.space import describe
from fersearch.study import Change, StudySpec

if TYPE_CHECKING:
    from fersearch.api.results import StudyView


def study(view: "StudyView") -> RenderableType:
    """Return a study's request, progress and search space."""
    status: dict[str, Cell] = {
        "state": view.state.value,
        **({"ended": view.ending} if view.ending else {}),
        "trials": f"{formatting.counts(view.counts)} of {view.spec.budget.trials}{_uncounted(view)}",
        **({"best": str(view.best)} if view.best else {}),
        "time used": formatting.brief(view.seconds),
        **({"timing": view.timing} if view.timing else {}),
        **({"enqueued": "\n".join(formatting.settings(one.given) for one in view.enqueued)} if view.enqueued else {}),
        **({"data": "\n".join(view.about_data)} if view.about_data else {}),
        **({"started from": view.started_from} if view.started_from else {}),
        **({"changed": "\n".join(_change(one) for one in view.spec.changes)} if view.spec.changes else {}),
        "looks at test": str(len(view.looks)),
        **({"finished": view.finish.line} if view.finish else {}),
        **({"warning": "\n".join(view.warnings)} if view.warnings else {}),
        "created": moment(view.created),
        "storage": view.storage,
    }
    return _study(f"study {view.name}", view.spec, status)


def _uncounted(view: "StudyView") -> str:
    """Return a remark where the budget may not count all of a study's trials; else nothing."""
    some = view.spec.where and view.counts.get("infeasible")
    return " (trials that break a bound before training do not count)" if some else ""


def _change(change: Change) -> str:
    return f"{moment(datetime.fromisoformat(change.at))}, after {formatting.plural(change.trials, 'trial')}: {change}"


def spec(spec: StudySpec) -> RenderableType:
    """Return the request and search space of a study that is not created yet."""
    return _study(f"study {spec.name}", spec, {})


def _study(heading: str, spec: StudySpec, status: Mapping[str, Cell]) -> RenderableType:
    limit = f"; only {spec.limit:,} images of train and valid" if spec.limit else ""
    timeout = f", {formatting.brief(spec.budget.timeout)}" if spec.budget.timeout else ""
    still = formatting.plural(spec.stop_when_flat, "complete trial")
    flat = f", or until the front has not grown for {still}" if spec.stop_when_flat else ""
    request: dict[str, Cell] = {
        "model": ", ".join(spec.architectures) + (f", from {spec.weights}" if spec.weights else ""),
        "dataset": f"{spec.dataset} {formatting.settings(spec.dataset_options)}".strip() + limit,
        "objectives": ", ".join(map(formatting.heading, spec.objectives)),
        **({"bounds": ", ".join(map(str, spec.where))} if spec.where else {}),
        "budget": f"{formatting.plural(spec.budget.trials, 'trial')}{timeout}{flat}",
        "search": f"sampler {spec.sampler}, pruner {spec.pruner}, rules {spec.rules}, seed {spec.seed}",
        "protocol": f"{formatting.protocol(spec.protocol)}, precision {spec.precision}, "
        f"memory format {spec.memory_format}",
        "at the end": _at_the_end(spec),
        "checkpoints": f"keeps {spec.keep.description}",
        **({"observers": ", ".join(spec.observe)} if spec.observe else {}),
    }
    space = [(name, describe(dimension)) for name, dimension in spec.space.dimensions.items()]
    return Group(title(heading), facts({**request, **status}), Text(), table(("parameter", "searched"), space))


def _at_the_end(spec: StudySpec) -> str:
    """Return the steps that follow the last trial; empty if there are none."""
    refit = f"the best configuration is retrained {formatting.plural(spec.refit, 'time')}" if spec.refit else ""
    unseen = f"the best model is evaluated on {', '.join(spec.unseen)}" if spec.unseen else ""
    return ", then ".join(filter(None, (refit, unseen)))
