"""Change the specification of a study that has trials, and record the changes in it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from fersearch.errors import UsageError
from fersearch.planning.mistakes import Mistakes
from fersearch.planning.parts import parse_objectives
from fersearch.planning.plan import check_number
from fersearch.planning.space import check_crop, full_names, narrowed, offered_space
from fersearch.registry import Registry
from fersearch.search.samplers import FINITE, check_finite
from fersearch.space import Space, describe
from fersearch.study import Budget, Change, StudySpec


def extended(
    spec: StudySpec,
    registry: Registry,
    count: int,
    *,
    trials: int | None = None,
    timeout: float | None = None,
    settings: Mapping[str, str] | None = None,
    objectives: Sequence[str] = (),
    stop_when_flat: int | None = None,
) -> StudySpec:
    """Return a study's spec with another budget, space or objectives; `count` is its number of trials.

    Settings narrow the components' full space, so that a dimension may also become wider than before.

    Raises:
        UsageError: one mistake, or several in one message; or nothing changes.
    """
    mistakes = Mistakes()
    for name, number in (("trials", trials), ("timeout", timeout)):
        with mistakes.at(name):
            check_number(name, number, 1)
    with mistakes.at("stop_when_flat"):
        check_number("stop_when_flat", stop_when_flat, 0)
    space = _space(spec, registry, settings or {}, mistakes) if settings else spec.space
    new_objectives = parse_objectives(objectives, registry, mistakes) if objectives else spec.objectives
    mistakes.settle()
    budget = Budget(trials or spec.budget.trials, timeout or spec.budget.timeout)
    still = spec.stop_when_flat if stop_when_flat is None else stop_when_flat
    after = replace(spec, budget=budget, space=space, objectives=new_objectives, stop_when_flat=still)
    changes = _changes(spec, after, count)
    if not changes:
        raise UsageError(f"nothing changes in study '{spec.name}'", "give --trials, --timeout, --set, --objective ...")
    return replace(after, changes=(*spec.changes, *changes))


def _space(spec: StudySpec, registry: Registry, settings: Mapping[str, str], mistakes: Mistakes) -> Space:
    architectures = [registry.architecture(name) for name in spec.architectures]
    offered = offered_space(architectures, registry.dataset(spec.dataset), spec.weights is not None, spec.one_study)
    full = full_names(settings, architectures, offered, mistakes)
    settings = {full[name]: settings[name] for name in full}
    unchanged = {name: dimension for name, dimension in spec.space.dimensions.items() if name not in settings}
    space = narrowed(Space({**offered.dimensions, **unchanged}), settings, mistakes)
    check_crop(space, spec.dataset_options, mistakes)
    if spec.sampler in FINITE:
        with mistakes.at("sampler"):
            check_finite(space, spec.sampler)
    return space


def _changes(before: StudySpec, after: StudySpec, count: int) -> list[Change]:
    """Return the differences between two specs as changes, with the current time."""
    earlier, later = _editable(before), _editable(after)
    names = dict.fromkeys((*earlier, *later))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    pairs = [(name, earlier.get(name, ""), later.get(name, "")) for name in names]
    return [Change(now, count, *pair) for pair in pairs if pair[1] != pair[2]]


def _editable(spec: StudySpec) -> dict[str, str]:
    """Return the changeable parts of a spec as text, by name."""
    settings = {"trials": str(spec.budget.trials), "objectives": ", ".join(map(str, spec.objectives))}
    timeout = {"timeout": f"{spec.budget.timeout:g} s"} if spec.budget.timeout else {}
    still = {"stop_when_flat": str(spec.stop_when_flat)} if spec.stop_when_flat else {}
    return {**settings, **timeout, **still, **{name: describe(d) for name, d in spec.space.dimensions.items()}}
