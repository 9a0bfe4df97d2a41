"""Compute the space of a study: the dimensions of its components and the recipe, narrowed by settings."""

from collections.abc import Container, Mapping, Sequence

from fersearch.components import Architecture, Dataset
from fersearch.errors import UsageError
from fersearch.planning.mistakes import Mistakes
from fersearch.planning.request import StudyRequest
from fersearch.recipe import FREEZING, OPTIMISATION, REGULARISATION, recipe, recipe_of_several
from fersearch.registry import Registry
from fersearch.space import Space, Value, values_of


def study_space(
    architectures: Sequence[Architecture],
    dataset: Dataset | None,
    request: StudyRequest,
    registry: Registry,
    mistakes: Mistakes,
) -> Space:
    """Return the narrowed space. If a component is unknown, check only shared settings and refuse unknown names."""
    settings = _settings(request)
    if architectures and dataset is not None:
        offered = offered_space(architectures, dataset, request.weights is not None, bool(request.one_study))
        full = full_names(settings, architectures, offered, mistakes)
        lenient = {full[name] for name in full if name in request.lenient}
        return narrowed(offered, {full[name]: settings[name] for name in full}, mistakes, lenient)
    shared = Space({**OPTIMISATION, **REGULARISATION})
    brought = _brought(registry)
    known = {name: text for name, text in settings.items() if name in shared or name.rpartition(".")[2] not in brought}
    return narrowed(shared, known, mistakes, request.lenient)


def offered_space(architectures: Sequence[Architecture], dataset: Dataset, pretrained: bool, one_study: bool) -> Space:
    """Return the full space of an architecture and dataset, or of the several architectures of one study."""
    if one_study:
        return recipe_of_several(architectures, dataset, pretrained)
    return recipe(architectures[0], dataset, pretrained)


def narrowed(offered: Space, settings: Mapping[str, str], mistakes: Mistakes, lenient: Container[str] = ()) -> Space:
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


def full_names(
    settings: Mapping[str, str], architectures: Sequence[Architecture], offered: Space, mistakes: Mistakes
) -> dict[str, str]:
    """Return each setting under its full name in a space: `cnn.width` for `width` if there are several architectures.

    A name that several architectures have, or that is given in both forms, is a mistake and left out.
    """
    full: dict[str, str] = {}
    for name in settings:
        owned = [f"{each.name}.{name}" for each in architectures if f"{each.name}.{name}" in offered]
        if name in offered or not owned:
            full[name] = name
        elif len(owned) > 1:
            message = f"{name}: {len(owned)} architectures have it, each its own"
            mistakes.add(f"space.{name}", UsageError(message, f"write {' or '.join(owned)}"))
        elif owned[0] in settings:
            mistakes.add(f"space.{name}", UsageError(f"{name}: given twice, also as {owned[0]}", "keep one"))
        else:
            full[name] = owned[0]
    return full


def check_crop(space: Space, options: Mapping[str, Value], mistakes: Mistakes) -> None:
    """Refuse a crop larger than the images; if the dataset does not state their size, the trial checks it."""
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
    """Return the names of all dimensions that some component adds to the shared space."""
    added = {name for architecture in registry.architectures.values() for name in architecture.space}
    return {"target", *FREEZING, *added}


def _parents(space: Space, name: str) -> set[str]:
    if name not in space:
        return set()
    direct = set(space[name].when)
    return direct | {above for parent in direct for above in _parents(space, parent)}
