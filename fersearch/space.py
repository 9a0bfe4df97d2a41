"""The search space: dimensions, and the conditions under which each applies. It samples nothing.

A dimension is what is *offered*. Its `search` text says what is searched by default, in the one
language that plugins, study files and `--set` share: `"0.001..0.1"` a range, `"32,64"` a list,
`"8"` one fixed value, `""` left out unless a study sets it. `when` makes a dimension apply
only where an earlier one took one of the given values; a dimension that does not apply is not in
a trial's parameters.
"""

import itertools
import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from fersearch.errors import UnknownName, UsageError, suggestion

Value = bool | int | float | str
Params = Mapping[str, Value]
When = Mapping[str, Sequence[Value]]


@dataclass(frozen=True, kw_only=True)
class _Conditional:
    search: str | None = None
    when: When = field(default_factory=dict)

    def applies(self, params: Params) -> bool:
        """Return whether the dimension applies under the choices made so far."""
        return all(params.get(parent) in values for parent, values in self.when.items())


@dataclass(frozen=True)
class Float(_Conditional):
    """A real number from `low` to `high`, both included, on a log scale if asked."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self)

    def contains(self, value: Value) -> bool:
        """Return whether the value is a finite number within the bounds."""
        return _is_number(value) and self.low <= float(value) <= self.high

    def parse(self, text: str) -> float:
        """Read one value; ValueError if it is not a number."""
        return float(text)


@dataclass(frozen=True)
class Int(_Conditional):
    """A whole number from `low` to `high`, both included, on a log scale if asked."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_bounds(self)

    def contains(self, value: Value) -> bool:
        """Return whether the value is a whole number within the bounds."""
        return _is_number(value) and float(value).is_integer() and self.low <= float(value) <= self.high

    def parse(self, text: str) -> int:
        """Read one value; ValueError if it is not a whole number."""
        return int(text)


@dataclass(frozen=True, init=False)
class Choice(_Conditional):
    """One of a list of values (str, bool, int or float)."""

    options: tuple[Value, ...]

    def __init__(self, *options: Value, search: str | None = None, when: When | None = None) -> None:
        if not options:
            raise ValueError("a Choice needs at least one option")
        if len(set(options)) < len(options):
            raise ValueError(f"a Choice offers an option twice (True equals 1, False equals 0): {options}")
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "search", search)
        object.__setattr__(self, "when", when or {})

    def contains(self, value: Value) -> bool:
        """Return whether the value is one of the options, of the same kind."""
        return any(_same(value, option) for option in self.options)

    def parse(self, text: str) -> Value:
        """Read one option as it is written; ValueError if none is written so."""
        for option in self.options:
            if text == written(option) or (not isinstance(option, str) and text.lower() == written(option)):
                return option
            if _is_number(option) and _number_or_none(text) == option:
                return option
        raise ValueError(text)


Dimension = Float | Int | Choice


def written(value: Value) -> str:
    """Return a value in the notation of `--set` and study files (`true`, `0.001`, `sgd`)."""
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def describe(dimension: Dimension) -> str:
    """Return a dimension as text: `0.0001..0.3 (log)` or `sgd, adam`."""
    if isinstance(dimension, Choice):
        return ", ".join(written(option) for option in dimension.options)
    scale = " (log)" if dimension.log else ""
    return f"{written(dimension.low)}..{written(dimension.high)}{scale}"


def conditional(dimension: Dimension, when: When) -> Dimension:
    """Return a dimension that applies under other conditions."""
    if isinstance(dimension, Choice):
        return Choice(*dimension.options, search=dimension.search, when=when)
    return replace(dimension, when=when)


def narrow(name: str, dimension: Dimension, text: str) -> Dimension:
    """Return the part of a dimension that a text names: `LOW..HIGH`, `a,b,c` or one value.

    Raises:
        UsageError: the text is no such thing, or asks for more than the dimension offers.
    """
    low, dots, high = text.partition("..")
    if dots and not isinstance(dimension, Choice):
        bounds = (_parse(name, dimension, low), _parse(name, dimension, high))
        try:
            return replace(dimension, low=bounds[0], high=bounds[1], search=None)  # type: ignore[arg-type]
        except ValueError as error:
            raise UsageError(f"{name}: '{text}' is not a range", str(error)) from None
    values = tuple(dict.fromkeys(_parse(name, dimension, part) for part in text.split(",")))
    return Choice(*values, when=dimension.when)


@dataclass(frozen=True)
class Space:
    """Dimensions by name, each after the ones that its `when` refers to."""

    dimensions: Mapping[str, Dimension]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for name, dimension in self.dimensions.items():
            for parent in dimension.when:
                if parent not in seen:
                    raise ValueError(f"'{name}' depends on '{parent}', which does not come before it")
            seen.add(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.dimensions)

    def __getitem__(self, name: str) -> Dimension:
        return self.dimensions[name]

    def __contains__(self, name: object) -> bool:
        return name in self.dimensions

    def __or__(self, other: "Space") -> "Space":
        double = sorted(set(self.dimensions) & set(other.dimensions))
        if double:
            raise ValueError(f"defined twice: {', '.join(double)}")
        return Space({**self.dimensions, **other.dimensions})

    def narrowed(self, settings: Mapping[str, str], lenient: Container[str] = ()) -> "Space":
        """Return the space to search: `settings` where given, each dimension's own `search` elsewhere.

        A setting that is `lenient` is left out where it can never apply, instead of being a mistake.

        Raises:
            UsageError: a setting names no dimension, asks for more than is offered, or can never apply.
        """
        for name in settings:
            if name not in self.dimensions:
                raise UnknownName(f"unknown parameter '{name}'", suggestion(name, self.dimensions))
            if not settings[name].strip():
                raise UsageError(f"{name}: nothing is given", f"offered: {describe(self[name])}")
        dimensions: dict[str, Dimension] = {}
        for name, offered in self.dimensions.items():
            text = settings.get(name, offered.search)
            impossible = _never_applies(offered, dimensions)
            if impossible and name in settings and name not in lenient:
                raise UsageError(f"{name}: applies only when {impossible}", f"set {impossible}, or leave {name} out")
            if not impossible and text != "":
                dimensions[name] = offered if text is None else narrow(name, offered, text)
        return Space(dimensions)

    def active(self, params: Params) -> Iterator[tuple[str, Dimension]]:
        """Yield each dimension that applies, reading `params` as it goes (so a caller may fill it on the way)."""
        for name, dimension in self.dimensions.items():
            if dimension.applies(params):
                yield name, dimension

    def check(self, params: Params) -> None:
        """Raise UsageError unless `params` holds exactly the dimensions that apply, each within its offer."""
        names = [name for name, _ in self.active(params)]
        for name in params:
            if name not in names:
                raise UsageError(f"parameter '{name}' does not apply", f"these apply: {', '.join(names)}")
        for name in names:
            if name not in params:
                raise UsageError(f"parameter '{name}' is missing", f"offered: {describe(self[name])}")
            if not self[name].contains(params[name]):
                raise UsageError(f"{name}: {written(params[name])} is not offered", f"offered: {describe(self[name])}")

    def configured(self, texts: Mapping[str, str]) -> dict[str, Value]:
        """Return the values that texts give parameters, one each; the others stay open.

        Raises:
            UsageError: a text names no parameter, lies outside its dimension, is several values, or may not apply.
        """
        narrowed = self.narrowed(texts)
        values: dict[str, Value] = {}
        for name in texts:
            value = single(narrowed[name])
            if value is None:
                raise UsageError(f"{name}: '{texts[name]}' is several values", "give one")
            for parent, allowed in narrowed[name].when.items():
                if any(other not in allowed for other in values_of(narrowed[parent])):
                    needed = f"{parent}={','.join(map(written, allowed))}"
                    raise UsageError(f"{name}: applies only when {needed}", f"give {needed} too, one value")
            values[name] = value
        return values

    def pinned(self, values: Params) -> "Space":
        """Return the part of the space in which some parameters have these values."""
        dimensions = {
            name: Choice(values[name], when=d.when) if name in values else d for name, d in self.dimensions.items()
        }
        return Space(dimensions)

    def completed(self, values: Params) -> dict[str, Value] | None:
        """Return the one configuration in which some parameters have these values; None where there are several."""
        params: dict[str, Value] = {}
        for name, dimension in self.pinned(values).active(params):
            value = single(dimension)
            if value is None:
                return None
            params[name] = value
        return params

    def size(self) -> int | None:
        """Return the number of distinct configurations; None if a real dimension makes them endless."""
        if any(isinstance(d, Float) and d.low < d.high for d in self.dimensions.values()):
            return None
        return sum(1 for _ in itertools.islice(self.configurations(), 1_000_001))

    def configurations(self) -> Iterator[dict[str, Value]]:
        """Yield every configuration in a fixed order; a real dimension gives its two ends."""
        yield from _configurations(list(self.dimensions.items()), {})

    def to_json(self) -> dict[str, Any]:
        """Return the space as plain data, for the store."""
        return {name: _to_json(dimension) for name, dimension in self.dimensions.items()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Space":
        """Return the space that `to_json` wrote."""
        return cls({name: _from_json(item) for name, item in data.items()})


def _configurations(left: list[tuple[str, Dimension]], params: dict[str, Value]) -> Iterator[dict[str, Value]]:
    if not left:
        yield dict(params)
        return
    (name, dimension), rest = left[0], left[1:]
    if not dimension.applies(params):
        yield from _configurations(rest, params)
        return
    for value in values_of(dimension):
        yield from _configurations(rest, {**params, name: value})


def single(dimension: Dimension) -> Value | None:
    """Return the only value a dimension can take; None if there are several."""
    if isinstance(dimension, Choice):
        return dimension.options[0] if len(dimension.options) == 1 else None
    return dimension.low if dimension.low == dimension.high else None


def values_of(dimension: Dimension) -> tuple[Value, ...]:
    """Return every value of a finite dimension; the two ends of a real one."""
    if isinstance(dimension, Choice):
        return dimension.options
    if isinstance(dimension, Int):
        return tuple(range(dimension.low, dimension.high + 1))
    return (dimension.low, dimension.high) if dimension.low < dimension.high else (dimension.low,)


def _never_applies(dimension: Dimension, dimensions: Mapping[str, Dimension]) -> str:
    for parent, allowed in dimension.when.items():
        possible = dimensions.get(parent)
        if possible is None or not any(possible.contains(value) for value in allowed):
            return f"{parent}={','.join(written(value) for value in allowed)}"
    return ""


def _parse(name: str, dimension: Dimension, text: str) -> Value:
    offer = f"offered: {describe(dimension)}"
    try:
        value = dimension.parse(text.strip())
    except ValueError:
        near = suggestion(text, map(written, dimension.options)) if isinstance(dimension, Choice) else ""
        guess = near.partition("? ")[0] + "? " if "did you mean" in near else ""
        raise UsageError(f"{name}: '{text.strip()}' is not offered", guess + offer) from None
    if not dimension.contains(value):
        raise UsageError(f"{name}: {written(value)} is not offered", offer)
    return value


def _check_bounds(dimension: Float | Int) -> None:
    low, high = dimension.low, dimension.high
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"{low}..{high} is not a range from low to high")
    if dimension.log and low <= 0 and dimension.search is None:
        raise ValueError("a log scale starts above 0")


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number_or_none(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _same(value: Value, option: Value) -> bool:
    return value == option and isinstance(value, bool) == isinstance(option, bool)


def _to_json(dimension: Dimension) -> dict[str, Any]:
    data: dict[str, Any]
    if isinstance(dimension, Choice):
        data = {"type": "choice", "options": list(dimension.options)}
    else:
        kind = "float" if isinstance(dimension, Float) else "int"
        data = {"type": kind, "low": dimension.low, "high": dimension.high, "log": dimension.log}
    if dimension.search is not None:
        data["search"] = dimension.search
    if dimension.when:
        data["when"] = {parent: list(values) for parent, values in dimension.when.items()}
    return data


def _from_json(data: Mapping[str, Any]) -> Dimension:
    when = {parent: tuple(values) for parent, values in data.get("when", {}).items()}
    if data["type"] == "choice":
        return Choice(*data["options"], search=data.get("search"), when=when)
    kind = Float if data["type"] == "float" else Int
    return kind(data["low"], data["high"], data["log"], search=data.get("search"), when=when)
