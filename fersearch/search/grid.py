"""Tries every configuration of a finite space, in the space's own order."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fersearch.errors import UsageError
from fersearch.space import Float, Space, Value, describe
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
        self._left: Iterator[dict[str, Value]] = space.configurations()
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


def check_finite(space: Space) -> None:
    """Raise UsageError if a space has a real dimension to search, naming all of them."""
    real = [name for name in space if isinstance(d := space[name], Float) and d.low < d.high]
    if not real:
        return
    offers = "; ".join(f"{name} ({describe(space[name])})" for name in real)
    settings = " ".join(f"--set {name}={_example(space[name])}" for name in real)
    raise UsageError(f"the grid sampler needs a finite space; these have no end: {offers}", f"list values: {settings}")


def _example(dimension: Any) -> str:
    low, high = float(dimension.low), float(dimension.high)
    middle = (low * high) ** 0.5 if dimension.log else (low + high) / 2
    return ",".join(f"{value:.3g}" for value in (low, middle, high))
