"""Training recipes that are known to work for faces, tried before any configuration is drawn.

They are published settings and not results of this project. A recipe has the settings that its authors published; all
other parameters of a space are at the middle of their range or the first of their options.

Sources: Khaireddin and Chen 2021 (arXiv:2105.03588); Barsoum et al. 2016 (arXiv:1608.01041); Loshchilov and Hutter
2019 (AdamW, arXiv:1711.05101); Smith and Topin 2018 (one cycle, arXiv:1708.07120); Kingma and Ba 2015 (Adam,
arXiv:1412.6980).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle

from fersearch.space import Choice, Dimension, Int, Space, Value, values_of
from fersearch.study import ARCHITECTURE, StudySpec

MOST_SLOTS = 4
"""Most parallel trials; with more, recipes gain nothing over draws."""

SHARE = 4
"""Least number of trials in the budget for each recipe."""

SAMPLERS = ("tpe", "nsga2")
"""The samplers that learn from earlier trials, and so profit from a good start."""


@dataclass(frozen=True)
class Recipe:
    """Settings by name; `size` is the size of the network, as a share (0 to 1) of the architecture's own ranges."""

    size: float
    settings: Mapping[str, Value]


_COMMON: Mapping[str, Value] = {"loss": "cross_entropy", "class_weights": "none", "batch_norm": True}
RECIPES: Mapping[str, Recipe] = {
    "one_cycle": Recipe(0.5, {
        **_COMMON, "optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4,
        "scheduler": "onecycle", "warmup_share": 0.3, "batch_size": 128, "augmentation": "flip", "dropout": 0.1,
        "label_smoothing": 0.1,
    }),
    "adamw": Recipe(0.0, {
        **_COMMON, "optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 0.01, "scheduler": "cosine",
        "batch_size": 64, "augmentation": "flip", "dropout": 0.2, "label_smoothing": 0.1,
        "class_weights": "inverse",
    }),
    "cosine": Recipe(1.0, {
        **_COMMON, "optimizer": "sgd", "learning_rate": 0.025, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4,
        "scheduler": "cosine", "batch_size": 64, "augmentation": "light", "dropout": 0.1, "label_smoothing": 0.1,
        "class_weights": "effective",
    }),
    "adam": Recipe(0.0, {
        **_COMMON, "optimizer": "adam", "learning_rate": 0.001, "weight_decay": 1e-6, "scheduler": "none",
        "batch_size": 128, "augmentation": "none", "dropout": 0.0, "label_smoothing": 0.0,
    }),
    "khaireddin": Recipe(0.5, {
        **_COMMON, "optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4,
        "scheduler": "plateau", "plateau_factor": 0.75, "plateau_patience": 5, "batch_size": 64,
        "augmentation": "standard", "dropout": 0.2, "label_smoothing": 0.0,
    }),
}  # fmt: skip


def starts_with_recipes(spec: StudySpec, slots: int) -> bool:
    """Return whether a study begins with the known recipes when `slots` trials run in parallel."""
    if spec.recipes == "auto":
        return spec.sampler in SAMPLERS and slots <= MOST_SLOTS
    return spec.recipes == "known"


def first_trials(spec: StudySpec, slots: int) -> list[dict[str, Value]]:
    """Return the configurations that a study begins with: the known recipes, at most a quarter of its budget."""
    if not starts_with_recipes(spec, slots):
        return []
    turns = cycle(values_of(spec.space[ARCHITECTURE])) if spec.one_study else None
    return known(spec.space, turns)[: spec.budget.trials // SHARE]


def known(space: Space, architectures: Iterator[Value] | None = None) -> list[dict[str, Value]]:
    """Return the recipes projected into a space, each once; over several architectures they alternate."""
    chosen = ({ARCHITECTURE: next(architectures)} if architectures else {} for _ in RECIPES)
    projected = [
        _projected(space, Recipe(each.size, {**each.settings, **own}))
        for each, own in zip(RECIPES.values(), chosen, strict=True)
    ]
    return [params for place, params in enumerate(projected) if params not in projected[:place]]


def _projected(space: Space, recipe: Recipe) -> dict[str, Value]:
    params: dict[str, Value] = {}
    for name, dimension in space.active(params):
        value = recipe.settings.get(name.rpartition(".")[2])
        size = 1.0 if name == "epochs" else recipe.size
        params[name] = _nearest(dimension, value) if value is not None else _at(dimension, size)
    return params


def _nearest(dimension: Dimension, value: Value) -> Value:
    """Return the value of a dimension nearest to a value."""
    if isinstance(dimension, Choice):
        numbers = [option for option in dimension.options if _is_number(option)]
        if value in dimension.options or not numbers or not _is_number(value):
            return value if value in dimension.options else dimension.options[0]
        return min(numbers, key=lambda option: abs(float(option) - float(value)))
    bounded = min(max(float(value), float(dimension.low)), float(dimension.high))
    return round(bounded) if isinstance(dimension, Int) else bounded


def _at(dimension: Dimension, share: float) -> Value:
    """Return the value at a share of a dimension's range; the first option where options are not numbers."""
    if isinstance(dimension, Choice):
        if not all(map(_is_number, dimension.options)):
            return dimension.options[0]
        ordered = sorted(dimension.options, key=float)
        return ordered[round(share * (len(ordered) - 1))]
    low, high = float(dimension.low), float(dimension.high)
    return _nearest(dimension, low * (high / low) ** share if dimension.log else low + share * (high - low))


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
