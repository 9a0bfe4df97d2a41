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
        "trials": f"{formatting.counts(view.counts)} of {view.spec.budget.trials}",
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


def _change(change: Change) -> str:
    return f"{moment(datetime.fromisoformat(change.at))}, after {formatting.plural(change.trials, 'trial')}: {change}"


def spec(asked: StudySpec) -> RenderableType:
    """Return the request and search space of a study that is not created yet."""
    return _study(f"study {asked.name}", asked, {})


def _study(heading: str, asked: StudySpec, status: Mapping[str, Cell]) -> RenderableType:
    limit = f"; only {asked.limit:,} images of train and valid" if asked.limit else ""
    timeout = f", {formatting.brief(asked.budget.timeout)}" if asked.budget.timeout else ""
    still = formatting.plural(asked.stop_when_flat, "complete trial")
    flat = f", or until the front has not grown for {still}" if asked.stop_when_flat else ""
    request: dict[str, Cell] = {
        "model": ", ".join(asked.architectures) + (f", from {asked.weights}" if asked.weights else ""),
        "dataset": f"{asked.dataset} {formatting.settings(asked.dataset_options)}".strip() + limit,
        "objectives": ", ".join(map(formatting.heading, asked.objectives)),
        **({"bounds": ", ".join(map(str, asked.where))} if asked.where else {}),
        "budget": f"{formatting.plural(asked.budget.trials, 'trial')}{timeout}{flat}",
        "search": f"sampler {asked.sampler}, pruner {asked.pruner}, rules {asked.rules}, seed {asked.seed}",
        "protocol": f"{formatting.protocol(asked.protocol)}, precision {asked.precision}, "
        f"memory format {asked.memory_format}",
        "at the end": _at_the_end(asked),
        "checkpoints": f"keeps {asked.keep.description}",
        **({"observers": ", ".join(asked.observe)} if asked.observe else {}),
    }
    space = [(name, describe(dimension)) for name, dimension in asked.space.dimensions.items()]
    return Group(title(heading), facts({**request, **status}), Text(), table(("parameter", "searched"), space))


def _at_the_end(asked: StudySpec) -> str:
    """Return the steps that follow the last trial; empty if there are none."""
    refit = f"the best configuration is retrained {formatting.plural(asked.refit, 'time')} more" if asked.refit else ""
    unseen = f"it judges {', '.join(asked.unseen)}" if asked.unseen else ""
    return ", then ".join(filter(None, (refit, unseen)))
