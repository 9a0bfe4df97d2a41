"""Samplers of finite spaces without chance: every configuration, or one factor changed at a time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fersearch.errors import UsageError
from fersearch.space import Float, Space, Value, describe, values_of
from fersearch.trial import Trial


class Grid:
    """A sampler without chance: the next configuration that no trial has."""

    def __init__(self, space: Space, trials: Iterable[Trial]) -> None:
        """Go on after the given trials.

        Raises:
            UsageError: a real dimension makes the grid endless.
        """
        check_finite(space)
        self.exhausted = False
        self._left = self._configurations(space)
        self._taken = {frozenset(trial.params.items()) for trial in trials}

    def ask(self, _number: int) -> tuple[dict[str, Value], dict[str, Any]] | None:
        """The next configuration and no state; None if there is none left."""
        for params in self._left:
            if frozenset(params.items()) not in self._taken:
                return params, {}
        self.exhausted = True
        return None

    def tell(self, _number: int, _values: Sequence[float] | None) -> None:
        """A grid learns nothing."""

    def _configurations(self, space: Space) -> Iterator[dict[str, Value]]:
        return space.configurations()


class OneFactorAtATime(Grid):
    """First the base, every parameter at the first of its values; then each parameter's others, one at a time."""

    def _configurations(self, space: Space) -> Iterator[dict[str, Value]]:
        seen = set()
        for name in ("", *space):
            for value in values_of(space[name]) if name else (None,):
                changed = {} if value is None else {**_needed(space, name), name: value}
                params = _filled(space, changed)
                if frozenset(params.items()) not in seen:
                    seen.add(frozenset(params.items()))
                    yield params


def _needed(space: Space, name: str) -> dict[str, Value]:
    """What the parameters above a conditional one must be for it to apply: as in the base where that will do."""
    needed: dict[str, Value] = {}
    for parent, wanted in space[name].when.items():
        fitting = [value for value in values_of(space[parent]) if value in wanted]
        needed |= {**_needed(space, parent), parent: fitting[0]}
    return needed


def _filled(space: Space, changed: dict[str, Value]) -> dict[str, Value]:
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        params[name] = changed.get(name, values_of(dimension)[0])
    return params


def check_finite(space: Space) -> None:
    """Raise UsageError if a space has a real dimension to search, naming all of them."""
    real = [name for name in space if isinstance(d := space[name], Float) and d.low < d.high]
    if not real:
        return
    offers = "; ".join(f"{name} ({describe(space[name])})" for name in real)
    settings = " ".join(f"--set {name}={_example(space[name])}" for name in real)
    raise UsageError(f"this sampler needs a finite space; these have no end: {offers}", f"list values: {settings}")


def _example(dimension: Any) -> str:
    low, high = float(dimension.low), float(dimension.high)
    middle = (low * high) ** 0.5 if dimension.log else (low + high) / 2
    return ",".join(f"{value:.3g}" for value in (low, middle, high))
