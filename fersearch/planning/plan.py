"""Make a checked StudySpec of what a command or a study file asks for; all mistakes are reported at once."""

import re
import unicodedata
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from fersearch.components import Architecture, Dataset
from fersearch.data import options as offered_options
from fersearch.data.locate import locate, remember
from fersearch.errors import FersearchError, StudyFileError, UsageError, lookup
from fersearch.recipe import OPTIMISATION, REGULARISATION, freezing, recipe
from fersearch.registry import Registry
from fersearch.search.samplers import FINITE, check_finite
from fersearch.space import Space, Value, values_of
from fersearch.study import Budget, Direction, Keep, Objective, Protocol, StudySpec
from fersearch.study_options import BY_NAME, GREATEST, OPTIONS
from fersearch.studyfile import mistake

LONGEST_NAME = 200
NAME_SIGNS = "._-+:/"
OBJECTIVES = ("f1_macro", "train_seconds", "peak_memory_mb")
TRIALS = int(BY_NAME["trials"].default)


class Mistakes:
    """Collect mistakes, each with the key or flag it belongs to."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.errors: list[tuple[str, FersearchError]] = []
        self.lines = list(lines)

    @contextmanager
    def at(self, key: str) -> Iterator[None]:
        """Keep a UsageError of the block as a mistake at `key` and go on."""
        try:
            yield
        except UsageError as error:
            self.errors.append((key, error))

    def settle(self, file: Path | None = None) -> None:
        """Raise what was collected: one error as it is, several or a file's together."""
        lines = [*self.lines, *(mistake(key, error) for key, error in self.errors)]
        if file is not None and lines:
            raise StudyFileError(str(file), lines)
        if len(self.errors) == 1:
            raise self.errors[0][1]
        if self.errors:
            raise UsageError(f"{len(lines)} mistakes", "\n  ".join(lines))


def dataset_options(dataset: Dataset, given: Mapping[str, str], mistakes: Mistakes) -> dict[str, Value]:
    """Return each option of a dataset with its one value: the one given, else its default."""
    values: dict[str, Value] = {}
    for name, text in given.items():
        with mistakes.at(f"dataset.options.{name}"):
            values |= offered_options.parse(dataset, {name: text})
    chosen = values
    with mistakes.at("dataset.options"):
        chosen = {**offered_options.decoding(dataset, values), **offered_options.loading(dataset, values)}
        del chosen["target"]
    return chosen


@dataclass(frozen=True)
class StudyRequest:
    """What a study is asked to do, as it was given; None where nothing was.

    `settings` and `dataset_options` are texts in the language of `--set`. `lenient` names settings of a
    file that flags were given over: they are left out where the flags made them inapplicable.
    """

    architecture: str
    dataset: str
    name: str | None = None
    data: Path | None = None
    dataset_options: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    lenient: Container[str] = ()
    objectives: Sequence[str] = ()
    trials: int | None = None
    timeout: float | None = None
    epochs: str | None = None
    limit: int | None = None
    seed: int | None = None
    sampler: str | None = None
    pruner: str | None = None
    weights: str | None = None
    precision: str | None = None
    split: str | None = None
    ratios: tuple[float, float, float] | None = None
    split_seed: int | None = None
    by: str | None = None
    folds: int | None = None
    repeats: int | None = None
    duplicates: str | None = None
    refit: int | None = None
    unseen: Sequence[str] = ()
    keep: str | None = None


def plan(
    request: StudyRequest,
    registry: Registry,
    *,
    file: Path | None = None,
    before: Sequence[str] = (),
    names: Sequence[str] = (),
) -> StudySpec:
    """Check a request against the components and the space.

    Args:
        file: the study file that the request comes from, if any, and the mistakes that reading it gave, `before`.
        names: the studies there are, so that a default name is free.

    Raises:
        UsageError: one mistake, or several in one message; StudyFileError if they came from `file`.
    """
    mistakes = Mistakes(before)
    architecture, dataset = _components(request, registry, mistakes)
    source, options = _data(dataset, request, mistakes) if dataset is not None else (None, {})
    space = _space(architecture, dataset, request, registry, mistakes)
    _check_crop(space, options, mistakes)
    objectives = _objectives(request.objectives or OBJECTIVES, registry, mistakes)
    unseen = _unseen(request.unseen, registry, mistakes)
    _check_options(request, mistakes)
    if request.sampler in FINITE and not mistakes.errors:
        with mistakes.at("sampler"):
            check_finite(space, request.sampler)
    mistakes.settle(file)
    return StudySpec(
        name=request.name or default_name(request, names),
        architecture=request.architecture,
        dataset=request.dataset,
        objectives=objectives,
        space=space,
        data=None if source is None else str(source),
        dataset_options=options,
        budget=Budget(_or(request.trials, TRIALS), request.timeout),
        protocol=_protocol(request),
        sampler=request.sampler or "tpe",
        pruner=request.pruner or "pareto",
        seed=_or(request.seed, 0),
        limit=request.limit,
        weights=_settled(request.weights, architecture),
        precision=cast(Literal["auto", "float32", "bf16"], request.precision or "auto"),
        refit=_or(request.refit, 0),
        unseen=unseen,
        keep=Keep.parse(request.keep or "front"),
    )


def _components(
    request: StudyRequest, registry: Registry, mistakes: Mistakes
) -> tuple[Architecture | None, Dataset | None]:
    """Return the architecture, its weights checked, and the dataset; None where it is unknown."""
    architecture: Architecture | None = None
    dataset: Dataset | None = None
    with mistakes.at("model"):
        architecture = registry.architecture(request.architecture) if request.architecture else None
    with mistakes.at("dataset"):
        dataset = registry.dataset(request.dataset) if request.dataset else None
    if architecture is not None:
        with mistakes.at("weights"):
            check_weights(architecture, request.weights)
    return architecture, dataset


def _data(dataset: Dataset, request: StudyRequest, mistakes: Mistakes) -> tuple[Path | None, dict[str, Value]]:
    """Return where the dataset's files are, whatever its name leads to later, and the dataset's options."""
    source = None
    with mistakes.at("data"):
        source = _source(dataset, request.data)
    return source, dataset_options(dataset, request.dataset_options, mistakes)


def _space(
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
        return narrow_space(offered, settings, mistakes, request.lenient)
    shared = Space({**OPTIMISATION, **REGULARISATION})
    brought = _brought(registry)
    known = {name: text for name, text in settings.items() if name in shared or name not in brought}
    return narrow_space(shared, known, mistakes, request.lenient)


def _brought(registry: Registry) -> set[str]:
    """Return the names that some component adds to the space that all share."""
    added = {name for architecture in registry.architectures.values() for name in architecture.space}
    return {"target", *freezing((), pretrained=False), *added}


def _protocol(request: StudyRequest) -> Protocol:
    given: dict[str, Any] = {
        "split": request.split or ("kfold" if request.folds else "ratios" if request.ratios else None),
        "ratios": request.ratios,
        "split_seed": request.split_seed,
        "by": request.by,
        "folds": request.folds,
        "repeats": request.repeats,
        "duplicates": request.duplicates,
    }
    return Protocol(**{name: value for name, value in given.items() if value is not None})


def narrow_space(
    offered: Space, settings: Mapping[str, str], mistakes: Mistakes, lenient: Container[str] = ()
) -> Space:
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


def check_weights(architecture: Architecture, weights: str | None) -> None:
    """Raise UsageError unless `weights` is nothing, a source the architecture knows, or a file."""
    if weights is None or weights in architecture.weights or Path(weights).expanduser().is_file():
        return
    known = ", ".join(architecture.weights) or "none"
    raise UsageError(
        f"weights '{weights}' are neither a file nor a source that {architecture.name} knows",
        f"known sources: {known}; or give a safetensors or state-dict file",
    )


def parse_objective(text: str, registry: Registry) -> Objective:
    """Read `METRIC` or `METRIC:max|min`; UsageError if no metric provides it."""
    name, _, direction = text.partition(":")
    metric = registry.metric(name.strip())
    wanted = direction.strip() or metric.direction
    lookup("direction", wanted, {"max": 1, "min": 1})
    return Objective(metric.name, cast(Direction, wanted))


def _objectives(texts: Sequence[str], registry: Registry, mistakes: Mistakes) -> tuple[Objective, ...]:
    objectives: list[Objective] = []
    for text in texts:
        with mistakes.at("objectives"):
            objective = parse_objective(text, registry)
            if any(objective.metric == other.metric for other in objectives):
                raise UsageError(f"objective '{objective.metric}' is given twice", "name each metric once")
            objectives.append(objective)
    return tuple(objectives)


def _check_options(request: StudyRequest, mistakes: Mistakes) -> None:
    for option in OPTIONS:
        given = getattr(request, option.name, None)
        if given is None:
            continue
        with mistakes.at(option.name):
            if option.choices:
                lookup(option.name, given, dict.fromkeys(option.choices))
            elif option.least is not None:
                _check_number(option.name, given, option.least)
    if request.folds is not None and request.split not in (None, "kfold"):
        error = UsageError(f"folds {request.folds} with split {request.split}", "only split = kfold has folds")
        mistakes.errors.append(("folds", error))
    if request.ratios is not None and request.split == "official":
        error = UsageError("ratios with split official", "they say how images are drawn; leave one of the two out")
        mistakes.errors.append(("ratios", error))
    with mistakes.at("name"):
        _check_name(request.name)
    with mistakes.at("keep"):
        Keep.parse(request.keep or "front")


def _check_number(name: str, given: float, least: int) -> None:
    if not given >= least:
        raise UsageError(f"{name} {given} is too small", f"give {least} or more")
    if given > GREATEST:
        raise UsageError(f"{name} {given} is too large", f"give {GREATEST} at most")


def _check_name(name: str | None) -> None:
    if name is None:
        return
    if len(name) > LONGEST_NAME:
        problem = f"'{name[:20]}...' is not a valid name for a study: it has {len(name)} characters"
        raise UsageError(problem, f"use at most {LONGEST_NAME}")
    if name and _named(name) == name and not name.startswith("-"):
        return
    meant = _named(name).lstrip("-")
    suggested = f"; such as '{meant}'" if meant.strip("-./_+:") else ""
    raise UsageError(
        f"'{name}' is not a valid name for a study",
        f"use letters, digits, '.', '_', '-', '+', ':' and '/', but no '..'{suggested}",
    )


def _named(text: str) -> str:
    """Return what of a text can name a study: letters of any script, digits and `NAME_SIGNS`, the rest as `-`."""
    kept = (c if c in NAME_SIGNS or c.isdecimal() or unicodedata.category(c)[0] in "LM" else "-" for c in text)
    return re.sub(r"\.{2,}", ".", "".join(kept))


def _source(dataset: Dataset, given: Path | None) -> Path | None:
    source = locate(dataset, given)
    if source is not None:
        dataset.files(source)
    if given is not None and source is not None:
        remember(dataset, given)
    return source.absolute() if source is not None else None


def unseen_dataset(text: str) -> tuple[str, Path | None]:
    """Read `NAME` or `NAME=PATH`: a dataset that the best model judges at the end, and where it is."""
    name, _, path = text.partition("=")
    return name.strip(), Path(path.strip()).expanduser().absolute() if path.strip() else None


def _unseen(texts: Sequence[str], registry: Registry, mistakes: Mistakes) -> tuple[str, ...]:
    """Return the datasets as named, each path absolute; one that its name alone does not locate needs a path."""
    datasets = []
    for text in texts:
        name, path = unseen_dataset(text)
        with mistakes.at("unseen"):
            dataset = registry.dataset(name)
            if path is not None:
                path = locate(dataset, path)
            elif dataset.named_by_path:
                raise UsageError(f"unseen {name}: its name alone does not say where it is", f"write {name}=PATH")
        datasets.append(name if path is None else f"{name}={path}")
    return tuple(datasets)


def _check_crop(space: Space, options: Mapping[str, Value], mistakes: Mistakes) -> None:
    """Refuse a crop larger than the images; where the dataset does not give their size, the trial will."""
    size = options.get("image_size")
    if "crop" not in space or size is None:
        return
    largest = max(int(value) for value in values_of(space["crop"]))
    if largest > int(size):
        error = UsageError(f"crop: {largest} pixels of images of {size}", f"crop {size} or less, or raise --image-size")
        mistakes.errors.append(("space.crop", error))


def _settings(request: StudyRequest) -> dict[str, str]:
    return {**request.settings, **({"epochs": request.epochs} if request.epochs else {})}


def _parents(space: Space, name: str) -> set[str]:
    if name not in space:
        return set()
    direct = set(space[name].when)
    return direct | {above for parent in direct for above in _parents(space, parent)}


def default_name(request: StudyRequest, names: Sequence[str]) -> str:
    """Return `ARCHITECTURE-DATASET`, with a number where that is one of `names`."""
    base = _named(f"{request.architecture}-{request.dataset}")[: LONGEST_NAME - 20]
    if base not in names:
        return base
    number = 2
    while f"{base}-{number}" in names:
        number += 1
    return f"{base}-{number}"


def _settled(weights: str | None, architecture: Architecture | None) -> str | None:
    """Return a file's whole path, so that the study finds it from any folder; a named source as it is."""
    if weights is None or (architecture is not None and weights in architecture.weights):
        return weights
    return str(Path(weights).expanduser().absolute())


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
