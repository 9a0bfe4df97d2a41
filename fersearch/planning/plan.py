"""Make a checked StudySpec from a command or a study file; all mistakes are reported at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

from fersearch.errors import UsageError, lookup
from fersearch.planning.mistakes import Mistakes
from fersearch.planning.names import check_name, default_name
from fersearch.planning.objectives import default_objectives
from fersearch.planning.parts import (
    dataset_source,
    named_components,
    parse_bounds,
    parse_objectives,
    unseen_datasets,
    whole_path,
)
from fersearch.planning.request import StudyRequest
from fersearch.planning.space import check_crop, study_space
from fersearch.registry import Registry
from fersearch.search.samplers import FINITE, check_finite
from fersearch.study import Budget, Keep, Origin, Protocol, StudySpec
from fersearch.study_options import BY_NAME, GREATEST, OPTIONS

TRIALS = int(BY_NAME["trials"].default)


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
        file: the study file of the request, if any; `before` are the mistakes from reading it.
        names: the names of existing studies, which a default name avoids.

    Raises:
        UsageError: one mistake, or several in one message; StudyFileError if they came from `file`.
    """
    mistakes = Mistakes(before)
    architectures, dataset = named_components(request, registry, mistakes)
    source, options = dataset_source(dataset, request, mistakes) if dataset is not None else (None, {})
    space = study_space(architectures, dataset, request, registry, mistakes)
    check_crop(space, options, mistakes)
    objectives = parse_objectives(request.objectives or default_objectives(), registry, mistakes)
    unseen = unseen_datasets(request.unseen, registry, mistakes)
    where = parse_bounds(request.where, registry, mistakes)
    _check_options(request, mistakes)
    if request.sampler in FINITE and not mistakes.errors:
        with mistakes.at("sampler"):
            check_finite(space, request.sampler)
    mistakes.settle(file)
    return StudySpec(
        name=request.name or default_name(request, names),
        architecture=",".join(request.architectures),
        dataset=request.dataset,
        objectives=objectives,
        space=space,
        data=None if source is None else str(source),
        dataset_options=options,
        budget=Budget(_or(request.trials, TRIALS), request.timeout),
        protocol=_protocol(request),
        sampler=request.sampler or "tpe",
        pruner=request.pruner or "pareto",
        recipes=cast(Literal["auto", "known", "none"], request.recipes or "auto"),
        seed=_or(request.seed, 0),
        limit=request.limit,
        weights=whole_path(request.weights, architectures),
        precision=cast(Literal["auto", "float32", "bf16"], request.precision or "auto"),
        memory_format=cast(Literal["auto", "contiguous", "channels_last"], request.memory_format or "auto"),
        latency_on=cast(Literal["torch", "onnx"], request.latency_on or "torch"),
        refit=_or(request.refit, 0),
        unseen=unseen,
        keep=Keep.parse(request.keep or "front"),
        where=where,
        one_study=bool(request.one_study),
        stop_when_flat=_or(request.stop_when_flat, 0),
        origin=Origin(request.from_study) if request.from_study else None,
    )


def _protocol(request: StudyRequest) -> Protocol:
    fields: dict[str, Any] = {
        "split": request.split or ("kfold" if request.folds else "ratios" if request.ratios else None),
        "ratios": request.ratios,
        "split_seed": request.split_seed,
        "by": request.by,
        "folds": request.folds,
        "repeats": request.repeats,
        "duplicates": request.duplicates,
    }
    return Protocol(**{name: value for name, value in fields.items() if value is not None})


def _check_options(request: StudyRequest, mistakes: Mistakes) -> None:
    for option in OPTIONS:
        value = getattr(request, option.name, None)
        if value is None:
            continue
        with mistakes.at(option.name):
            if option.choices:
                lookup(option.name, value, dict.fromkeys(option.choices))
            elif option.least is not None:
                check_number(option.name, value, option.least)
    if request.folds is not None and request.split not in (None, "kfold"):
        error = UsageError(f"folds {request.folds} with split {request.split}", "only split = kfold has folds")
        mistakes.add("folds", error)
    if request.ratios is not None and request.split == "official":
        error = UsageError("ratios with split official", "they say how images are drawn; leave one of the two out")
        mistakes.add("ratios", error)
    with mistakes.at("name"):
        check_name(request.name)
    with mistakes.at("keep"):
        Keep.parse(request.keep or "front")


def check_number(name: str, value: float | None, least: int) -> None:
    """Raise UsageError if a number is given and less than `least` or greater than `GREATEST`."""
    if value is None:
        return
    if not value >= least:
        raise UsageError(f"{name} {value} is too small", f"give {least} or more")
    if value > GREATEST:
        raise UsageError(f"{name} {value} is too large", f"give {GREATEST} at most")


def _or(value: int | None, default: int) -> int:
    return default if value is None else value
