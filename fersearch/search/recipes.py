"""Training recipes that are known to work for faces, tried before anything is drawn.

They are published settings and not results of this project's tables. A recipe names what its authors gave; whatever
else a space has is taken from the middle of its range or the first of its options.

Sources: Khaireddin and Chen 2021 (arXiv:2105.03588); Barsoum et al. 2016 (arXiv:1608.01041); Loshchilov and Hutter
2019 (AdamW, arXiv:1711.05101); Smith and Topin 2018 (one cycle, arXiv:1708.07120); Kingma and Ba 2015 (Adam,
arXiv:1412.6980).
"""

import math
from collections.abc import Iterator, Mapping
from itertools import cycle

from fersearch.space import Choice, Dimension, Int, Space, Value, values_of
from fersearch.study import ARCHITECTURE, StudySpec

MOST_SLOTS = 4
"""With more trials at once than this, recipes gain nothing over drawing."""

SHARE = 4
"""One trial of so many may be a recipe."""

SAMPLERS = ("tpe", "nsga2")
"""The samplers that learn from what was tried, and so have something of a good start."""

_COMMON: Mapping[str, Value] = {"loss": "cross_entropy", "class_weights": "none", "batch_norm": True}
RECIPES: Mapping[str, Mapping[str, Value]] = {
    "one_cycle": {
        **_COMMON, "optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4,
        "scheduler": "onecycle", "warmup_share": 0.3, "batch_size": 128, "augmentation": "flip", "dropout": 0.1,
        "label_smoothing": 0.1, "size": 0.5,
    },
    "adamw": {
        **_COMMON, "optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.01, "scheduler": "cosine",
        "batch_size": 64, "augmentation": "flip", "dropout": 0.2, "label_smoothing": 0.1,
        "class_weights": "inverse", "size": 0.0,
    },
    "cosine": {
        **_COMMON, "optimizer": "sgd", "learning_rate": 0.025, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4,
        "scheduler": "cosine", "batch_size": 64, "augmentation": "light", "dropout": 0.1, "label_smoothing": 0.1,
        "class_weights": "effective", "size": 1.0,
    },
    "adam": {
        **_COMMON, "optimizer": "adam", "learning_rate": 0.001, "weight_decay": 1e-6, "scheduler": "none",
        "batch_size": 128, "augmentation": "none", "dropout": 0.0, "label_smoothing": 0.0, "size": 0.0,
    },
    "khaireddin": {
        **_COMMON, "optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4,
        "scheduler": "plateau", "plateau_factor": 0.75, "plateau_patience": 5, "batch_size": 64,
        "augmentation": "standard", "dropout": 0.2, "label_smoothing": 0.0, "size": 0.5,
    },
}  # fmt: skip
"""Settings by name; `size` says how large the network is, from 0 to 1 of the architecture's own ranges."""


def wanted(spec: StudySpec, slots: int) -> bool:
    """Return whether a study begins with the known recipes when so many trials run at once."""
    if spec.recipes == "auto":
        return spec.sampler in SAMPLERS and slots <= MOST_SLOTS
    return spec.recipes == "known"


def first_trials(spec: StudySpec, slots: int) -> list[dict[str, Value]]:
    """Return the configurations that a study begins with: the known recipes, for a quarter of its budget at most."""
    if not wanted(spec, slots):
        return []
    turns = cycle(values_of(spec.space[ARCHITECTURE])) if spec.one_study else None
    return known(spec.space, turns)[: spec.budget.trials // SHARE]


def known(space: Space, architectures: Iterator[Value] | None = None) -> list[dict[str, Value]]:
    """Return the recipes projected into a space, each once; of several architectures they take one after the other."""
    recipes = [{**each, ARCHITECTURE: next(architectures)} if architectures else each for each in RECIPES.values()]
    projected = [_projected(space, recipe) for recipe in recipes]
    return [params for place, params in enumerate(projected) if params not in projected[:place]]


def _projected(space: Space, recipe: Mapping[str, Value]) -> dict[str, Value]:
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        given = recipe.get(name.rpartition(".")[2])
        params[name] = _nearest(dimension, given) if given is not None else _otherwise(dimension, name, recipe)
    return params


def _nearest(dimension: Dimension, value: Value) -> Value:
    """Return what a dimension has that is nearest to a value."""
    if isinstance(dimension, Choice):
        if value in dimension.options:
            return value
        numbers = [option for option in dimension.options if _is_number(option)]
        return (
            min(numbers, key=lambda option: abs(float(option) - float(value)))
            if numbers and _is_number(value)
            else (dimension.options[0])
        )
    low, high = dimension.low, dimension.high
    bounded = min(max(float(value), float(low)), float(high)) if _is_number(value) else float(low)
    return round(bounded) if isinstance(dimension, Int) else bounded


def _otherwise(dimension: Dimension, name: str, recipe: Mapping[str, Value]) -> Value:
    """Return what a recipe takes of a dimension that it does not name: by its size where that is a number."""
    if isinstance(dimension, Choice):
        if not all(map(_is_number, dimension.options)):
            return dimension.options[0]
        ordered = sorted(dimension.options, key=float)
        return ordered[round(_size(name, recipe) * (len(ordered) - 1))]
    low, high, share = float(dimension.low), float(dimension.high), _size(name, recipe)
    value = math.exp(_between(math.log(low), math.log(high), share)) if dimension.log else _between(low, high, share)
    return _nearest(dimension, value)


def _size(name: str, recipe: Mapping[str, Value]) -> float:
    return 1.0 if name == "epochs" else float(recipe["size"])


def _between(low: float, high: float, share: float) -> float:
    return low + share * (high - low)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
