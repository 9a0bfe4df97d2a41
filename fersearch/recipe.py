"""The search space that all trials share: training settings independent of the network and the dataset."""

from collections.abc import Mapping, Sequence

from fersearch.components import Architecture, Dataset
from fersearch.errors import PluginError
from fersearch.space import Choice, Dimension, Float, Int, Space, conditional
from fersearch.study import ARCHITECTURE

OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "amsgrad", "nadam", "adagrad", "adadelta")
SCHEDULERS = ("none", "exponential", "plateau", "step", "cosine", "onecycle", "cosine_restarts")
AUGMENTATIONS = ("none", "flip", "light", "standard", "strong")
LOSSES = ("cross_entropy", "focal")
CLASS_WEIGHTS = ("none", "inverse", "effective")
SAMPLINGS = ("shuffle", "weighted", "balanced", "oversample", "undersample", "smote")
NORMALISATIONS = ("dataset", "imagenet", "half", "none")
TTA = ("none", "flip", "five_crop", "ten_crop")

OPTIMISATION: dict[str, Dimension] = {
    "epochs": Int(1, 10_000, search="12"),
    "batch_size": Int(1, 8192, search="32,64,128"),
    "optimizer": Choice(*OPTIMIZERS, search="sgd,adam,adamw,rmsprop"),
    "learning_rate": Float(1e-7, 10.0, log=True, search="0.0003..0.1"),
    "momentum": Float(0.0, 0.999, search="0.8..0.98", when={"optimizer": ("sgd",)}),
    "nesterov": Choice(False, True, when={"optimizer": ("sgd",)}),
    "weight_decay": Float(0.0, 1.0, log=True, search="0.000001..0.01"),
    "scheduler": Choice(*SCHEDULERS, search="none,exponential,plateau,step,cosine,onecycle"),
    "decay": Float(0.01, 1.0, search="0.8..0.99", when={"scheduler": ("exponential",)}),
    "plateau_factor": Float(0.01, 0.95, search="0.1..0.75", when={"scheduler": ("plateau",)}),
    "plateau_patience": Int(0, 100, search="1..5", when={"scheduler": ("plateau",)}),
    "step_factor": Float(0.01, 0.95, search="0.1..0.75", when={"scheduler": ("step",)}),
    "step_count": Int(1, 20, search="1..4", when={"scheduler": ("step",)}),
    "warmup_share": Float(0.0, 0.9, search="0.1..0.4", when={"scheduler": ("onecycle",)}),
    "restart_epochs": Int(1, 10_000, search="10", when={"scheduler": ("cosine_restarts",)}),
    "restart_factor": Int(1, 10, search="2", when={"scheduler": ("cosine_restarts",)}),
    "warmup_epochs": Float(0.0, 1000.0, search="", when={"scheduler": tuple(s for s in SCHEDULERS if s != "onecycle")}),
    "early_stopping": Int(0, 1000, search=""),
    "clip_norm": Float(0.0, 1000.0, search=""),
    "ema": Float(0.0, 0.99999, search=""),
    "sampling": Choice(*SAMPLINGS, search=""),
    "normalisation": Choice(*NORMALISATIONS, search=""),
    "crop": Int(8, 1024, search=""),
    "tta": Choice(*TTA, search=""),
}

FREEZING = ("freeze", "frozen_batch_norm")
"""The dimensions that depend on a network's number of stages."""

REGULARISATION: dict[str, Dimension] = {
    "dropout": Float(0.0, 0.95, search="0..0.5"),
    "augmentation": Choice(*AUGMENTATIONS),
    "rotation": Float(0.0, 180.0, search=""),
    "translation": Float(0.0, 0.9, search=""),
    "scale": Float(0.0, 0.9, search=""),
    "shear": Float(0.0, 60.0, search=""),
    "flip": Float(0.0, 1.0, search=""),
    "erasing": Float(0.0, 1.0, search=""),
    "mixup": Float(0.0, 10.0, search=""),
    "loss": Choice(*LOSSES),
    "label_smoothing": Float(0.0, 0.9, search="0..0.2", when={"loss": ("cross_entropy",)}),
    "focal_gamma": Float(0.0, 10.0, search="0.5..3", when={"loss": ("focal",)}),
    "class_weights": Choice(*CLASS_WEIGHTS),
    "loss_scale": Float(0.001, 1000.0, search=""),
}


def recipe(architecture: Architecture, dataset: Dataset, pretrained: bool = False) -> Space:
    """Return the space of an architecture and a dataset together, the architecture's own dimensions last.

    `freeze` is searched only when the architecture starts from `pretrained` weights, or when asked for.

    Raises:
        PluginError: the architecture uses a name of the recipe, or depends on a dimension that does not exist.
    """
    shared = {
        **OPTIMISATION,
        **REGULARISATION,
        "target": Choice(*dataset.targets, search=dataset.targets[0]),
        **freezing(architecture.stage_names, pretrained),
    }
    if redefined := sorted(set(shared) & set(architecture.space)):
        message = f"architecture '{architecture.name}' redefines dimensions of the recipe: {', '.join(redefined)}"
        raise PluginError(message, "rename them in the architecture, or leave them to the recipe")
    try:
        return Space({**shared, **architecture.space})
    except ValueError as error:
        raise PluginError(f"architecture '{architecture.name}': {error}", "correct its `when`") from None


def recipe_of_several(architectures: Sequence[Architecture], dataset: Dataset, pretrained: bool = False) -> Space:
    """Return one space for several architectures and a dataset: the choice of one, shared and own dimensions.

    The dimensions of an architecture are called `ARCHITECTURE.NAME` and apply where it was chosen; so are those of
    freezing, since rules count the stages of a network.

    Raises:
        PluginError: as `recipe`, for any of the architectures.
    """
    shared: dict[str, Dimension] = {}
    apart: dict[str, Dimension] = {}
    for architecture in architectures:
        whole = recipe(architecture, dataset, pretrained)
        own = {name: whole[name] for name in whole if name in {*FREEZING, *architecture.space}}
        shared |= {name: whole[name] for name in whole if name not in own}
        apart |= _prefixed(architecture.name, own)
    return Space({ARCHITECTURE: Choice(*(each.name for each in architectures)), **shared, **apart})


def _prefixed(prefix: str, own: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Return an architecture's dimensions under prefixed names, on the condition that it is chosen."""
    full = {name: f"{prefix}.{name}" for name in own}
    dimensions = {}
    for name, dimension in own.items():
        parents = {full.get(parent, parent): values for parent, values in dimension.when.items()}
        dimensions[full[name]] = conditional(dimension, {ARCHITECTURE: (prefix,), **parents})
    return dimensions


def freeze_rules(stages: int) -> tuple[str, ...]:
    """Return the freezing rules of a network with `stages` stages; `first_k` freezes the first k."""
    first = tuple(f"first_{k}" for k in range(1, stages - 1))
    return ("none", "all_but_last", *(("all_but_first_and_last",) if stages > 2 else ()), *first)


def freezing(stage_names: Sequence[str], pretrained: bool) -> dict[str, Dimension]:
    """Return the freezing dimensions of a network with these stages, and of its frozen batch norms."""
    rules = freeze_rules(len(stage_names))
    return {
        "freeze": Choice(*rules, search=None if pretrained else "none"),
        "frozen_batch_norm": Choice("moving", "fixed", search="moving", when={"freeze": rules[1:]}),
    }
