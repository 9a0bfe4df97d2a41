"""The space of a study: the dimensions of its components and the recipe, narrowed by its settings."""

from collections.abc import Container, Mapping

from fersearch.components import Architecture, Dataset
from fersearch.errors import UsageError
from fersearch.planning.mistakes import Mistakes
from fersearch.planning.request import StudyRequest
from fersearch.recipe import OPTIMISATION, REGULARISATION, freezing, recipe
from fersearch.registry import Registry
from fersearch.space import Space, Value, values_of


def study_space(
    architecture: Architecture | None,
    dataset: Dataset | None,
    request: StudyRequest,
    registry: Registry,
    mistakes: Mistakes,
) -> Space:
    """Return the narrowed space; where a component is unknown, check what all share and refuse what none brings."""
    settings = _settings(request)
    if architecture is not None and dataset is not None:
        offered = recipe(architecture, dataset, pretrained=request.weights is not None)
        return _narrowed(offered, settings, mistakes, request.lenient)
    shared = Space({**OPTIMISATION, **REGULARISATION})
    brought = _brought(registry)
    known = {name: text for name, text in settings.items() if name in shared or name not in brought}
    return _narrowed(shared, known, mistakes, request.lenient)


def _narrowed(offered: Space, settings: Mapping[str, str], mistakes: Mistakes, lenient: Container[str] = ()) -> Space:
    """Narrow a space setting by setting, so that every wrong one is reported."""
    sound = dict(settings)
    for name in settings:
        before = len(mistakes.errors)
        concerned = {name, *_parents(offered, name)}
        with mistakes.at(name if name == "epochs" else f"space.{name}"):
            offered.narrowed({key: text for key, text in sound.items() if key in concerned}, lenient)
        if len(mistakes.errors) > before:
            del sound[name]
    with mistakes.at("space"):
        offered = offered.narrowed(sound, lenient)
    return offered  # noqa: RET504 (`at` takes the error, and what was offered is returned)


def check_crop(space: Space, options: Mapping[str, Value], mistakes: Mistakes) -> None:
    """Refuse a crop larger than the images; where the dataset does not give their size, the trial will."""
    size = options.get("image_size")
    if "crop" not in space or size is None:
        return
    largest = max(int(value) for value in values_of(space["crop"]))
    if largest > int(size):
        error = UsageError(f"crop: {largest} pixels of images of {size}", f"crop {size} or less, or raise --image-size")
        mistakes.add("space.crop", error)


def _settings(request: StudyRequest) -> dict[str, str]:
    return {**request.settings, **({"epochs": request.epochs} if request.epochs else {})}


def _brought(registry: Registry) -> set[str]:
    """Return the names that some component adds to the space that all share."""
    added = {name for architecture in registry.architectures.values() for name in architecture.space}
    return {"target", *freezing((), pretrained=False), *added}


def _parents(space: Space, name: str) -> set[str]:
    if name not in space:
        return set()
    direct = set(space[name].when)
    return direct | {above for parent in direct for above in _parents(space, parent)}
