"""A dataset's options: given values, checked against the offered ones, and defaults for the others."""

from collections.abc import Mapping

from fersearch.components import Dataset
from fersearch.errors import UsageError, suggestion
from fersearch.space import Dimension, Value, describe, written


def parse(dataset: Dataset, texts: Mapping[str, str]) -> dict[str, Value]:
    """Read options as they are written on a command line.

    Raises:
        UsageError: an option that the dataset does not have, or a value that it does not offer.
    """
    offered = {**dataset.decoding, **dataset.options}
    return {name: _parsed(name, _dimension(dataset, offered, name), text) for name, text in texts.items()}


def check(dataset: Dataset, options: Mapping[str, Value]) -> None:
    """Raise UsageError if the dataset has no such option or does not offer such a value."""
    offered = {**dataset.decoding, **dataset.options}
    for name in options:
        _dimension(dataset, offered, name)
    _chosen(dataset.decoding, options)
    _chosen(dataset.options, options)


def decoding(dataset: Dataset, options: Mapping[str, Value]) -> dict[str, Value]:
    """Return the options that decide the prepared pixels, no preprocessing left out; UsageError for a value not
    offered."""
    chosen = _chosen(dataset.decoding, options)
    return {name: value for name, value in chosen.items() if (name, value) != ("preprocess", "none")}


def loading(dataset: Dataset, options: Mapping[str, Value]) -> dict[str, Value]:
    """Return the options that apply when labels are derived, and `target`; UsageError for a value not offered."""
    target = options.get("target", dataset.targets[0])
    if target not in dataset.targets:
        hint = suggestion(str(target), dataset.targets).replace("known:", "offered:")
        raise UsageError(f"{dataset.name} has no target '{target}'", hint)
    return {**_chosen(dataset.options, options), "target": target}


def _chosen(dimensions: Mapping[str, Dimension], options: Mapping[str, Value]) -> dict[str, Value]:
    chosen: dict[str, Value] = {}
    for name, dimension in dimensions.items():
        if dimension.applies(chosen):
            if name in options:
                _check(name, dimension, options[name])
                chosen[name] = options[name]
            elif dimension.search:
                chosen[name] = dimension.parse(dimension.search)
        elif name in options:
            needed = ", ".join(
                f"{parent}={','.join(map(written, values))}" for parent, values in dimension.when.items()
            )
            raise UsageError(f"{name}: applies only when {needed}", f"leave {name} out, or set {needed}")
    return chosen


def _dimension(dataset: Dataset, offered: Mapping[str, Dimension], name: str) -> Dimension:
    if name not in offered:
        raise UsageError(f"dataset {dataset.name} has no option '{name}'", suggestion(name, offered))
    return offered[name]


def _parsed(name: str, dimension: Dimension, text: str) -> Value:
    try:
        value = dimension.parse(text.strip())
    except ValueError:
        raise UsageError(f"{name}: '{text}' is not offered", f"offered: {describe(dimension)}") from None
    _check(name, dimension, value)
    return value


def _check(name: str, dimension: Dimension, value: Value) -> None:
    if not dimension.contains(value):
        raise UsageError(f"{name}: {written(value)} is not offered", f"offered: {describe(dimension)}")
