"""Comparison of trials of another space with those of this one."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fersearch.space import Choice, Dimension, Params, Space, Value, single
from fersearch.study import StudySpec


def fits(space: Space, params: Params, partly: bool = False) -> bool:
    """Return whether parameters are in a space; `partly` allows missing ones."""
    if not all(name in space and space[name].contains(value) for name, value in params.items()):
        return False
    applying = {name for name, _ in space.active(params)}
    return params.keys() <= applying if partly else params.keys() == applying


def is_learnable(spec: StudySpec, params: Params) -> bool:
    """Return whether the sampler of a study can learn from parameters; for TPE, which is univariate, some may lack."""
    return fits(spec.space, params, partly=spec.sampler == "tpe")


def filled(space: Space, params: Params) -> dict[str, Value]:
    """Return parameters with the missing ones added that apply and have only one value."""
    whole: dict[str, Value] = {}
    for name, dimension in space.active(whole):
        value = params.get(name, single(dimension))
        if value is not None:
            whole[name] = value
    return whole


def covering(dimensions: Sequence[Dimension], values: Iterable[Value]) -> Dimension:
    """Return a dimension that contains several of the same name and the values that trials had."""
    first = dimensions[0]
    if all(other == first for other in dimensions):
        return first
    choices = [dimension for dimension in dimensions if isinstance(dimension, Choice)]
    if choices:
        return Choice(*dict.fromkeys([*(option for choice in choices for option in choice.options), *values]))
    ranges = [dimension for dimension in dimensions if not isinstance(dimension, Choice)]
    low, high = min(one.low for one in ranges), max(one.high for one in ranges)
    return replace(ranges[0], low=low, high=high)  # type: ignore[arg-type]
