"""Look up the components that a request names: architectures, weights, datasets with options, objectives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from fersearch.components import Architecture, Dataset
from fersearch.data import options as offered_options
from fersearch.data.locate import locate, remember
from fersearch.errors import UsageError, lookup
from fersearch.formatting import listed
from fersearch.planning.mistakes import Mistakes
from fersearch.planning.request import StudyRequest
from fersearch.registry import Registry
from fersearch.space import Value
from fersearch.study import Constraint, Direction, Objective


def named_components(
    request: StudyRequest, registry: Registry, mistakes: Mistakes
) -> tuple[tuple[Architecture, ...], Dataset | None]:
    """Return the architectures, with their weights checked, and the dataset; empty and None if unknown."""
    architectures: tuple[Architecture, ...] = ()
    dataset: Dataset | None = None
    if request.architecture:
        architectures = named_architectures(request, registry, mistakes)
    with mistakes.at("dataset"):
        dataset = registry.dataset(request.dataset) if request.dataset else None
    with mistakes.at("weights"):
        check_weights(architectures, request.weights)
    return architectures, dataset


def named_architectures(request: StudyRequest, registry: Registry, mistakes: Mistakes) -> tuple[Architecture, ...]:
    """Return the architecture that a request names, or the several of one study; empty if one is unknown."""
    before, architectures = len(mistakes.errors), []
    with mistakes.at("one_study" if request.one_study else "model"):
        _check_several(request)
    for name in request.architectures if len(mistakes.errors) == before else ():
        with mistakes.at("model"):
            architectures.append(registry.architecture(name))
    return tuple(architectures) if len(mistakes.errors) == before else ()


def _check_several(request: StudyRequest) -> None:
    """Raise UsageError unless `one_study` goes with several different architectures, and these with `one_study`."""
    names = [name.strip() for name in request.architecture.split(",")]
    if request.one_study and len(names) == 1:
        raise UsageError(f"one_study: only '{names[0]}' is named", "name several, as cnn,resnet18, or leave it out")
    if request.one_study and len(set(names)) < len(names):
        double = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"architecture '{double}' is named twice", "name each once")
    if not request.one_study and len(names) > 1:
        quoted = ", ".join(f'"{name}"' for name in names)
        raise UsageError(
            f"'{request.architecture}' names {len(names)} architectures",
            "one study over them: --one-study, or one_study = true in a study file; "
            f"a study each: model = [{quoted}] in a study file",
        )


def check_weights(architectures: Sequence[Architecture], weights: str | None) -> None:
    """Raise UsageError unless `weights` is None, a source that every architecture knows, or a file for a single one."""
    for architecture in architectures:
        _check_weights(architecture, weights)
    if weights is not None and len(architectures) > 1 and weights not in architectures[0].weights:
        raise UsageError(
            f"weights '{weights}': a file fits one architecture, not {listed([each.name for each in architectures])}",
            "leave it out, or make a study of its own for the architecture that it is for",
        )


def _check_weights(architecture: Architecture, weights: str | None) -> None:
    if weights is None or weights in architecture.weights or Path(weights).expanduser().is_file():
        return
    known = ", ".join(architecture.weights) or "none"
    raise UsageError(
        f"weights '{weights}' are neither a file nor a source that {architecture.name} knows",
        f"known sources: {known}; or give a safetensors or state-dict file",
    )


def whole_path(weights: str | None, architectures: Sequence[Architecture]) -> str | None:
    """Return the absolute path of a weights file, so that any working directory finds it; a named source unchanged."""
    if weights is None or any(weights in architecture.weights for architecture in architectures):
        return weights
    return str(Path(weights).expanduser().absolute())


def dataset_source(dataset: Dataset, request: StudyRequest, mistakes: Mistakes) -> tuple[Path | None, dict[str, Value]]:
    """Return the path of the dataset's files, independent of later changes to its name, and its options."""
    source = None
    with mistakes.at("data"):
        source = _source(dataset, request.data)
    return source, dataset_options(dataset, request.dataset_options, mistakes)


def _source(dataset: Dataset, path: Path | None) -> Path | None:
    source = locate(dataset, path)
    if source is not None:
        dataset.files(source)
    if path is not None and source is not None:
        remember(dataset, path)
    return source.absolute() if source is not None else None


def dataset_options(dataset: Dataset, texts: Mapping[str, str], mistakes: Mistakes) -> dict[str, Value]:
    """Return the value of each option of a dataset: the given one, else its default."""
    values: dict[str, Value] = {}
    for name, text in texts.items():
        with mistakes.at(f"dataset.options.{name}"):
            values |= offered_options.parse(dataset, {name: text})
    chosen = values
    with mistakes.at("dataset.options"):
        chosen = {**offered_options.decoding(dataset, values), **offered_options.loading(dataset, values)}
        del chosen["target"]
    return chosen


def parse_objectives(texts: Sequence[str], registry: Registry, mistakes: Mistakes) -> tuple[Objective, ...]:
    """Return the objectives that texts such as `log_loss:min` name, best first; none twice."""
    objectives: list[Objective] = []
    for text in texts:
        with mistakes.at("objectives"):
            objective = _parse_objective(text, registry)
            if any(objective.metric == other.metric for other in objectives):
                raise UsageError(f"objective '{objective.metric}' is given twice", "name each metric once")
            objectives.append(objective)
    return tuple(objectives)


def _parse_objective(text: str, registry: Registry) -> Objective:
    """Parse `METRIC` or `METRIC:max|min`. Raise UsageError if there is no such metric."""
    name, _, direction = text.partition(":")
    metric = registry.metric(name.strip())
    chosen = direction.strip() or metric.direction
    lookup("direction", chosen, {"max": 1, "min": 1})
    return Objective(metric.name, cast(Direction, chosen))


def parse_bounds(texts: Sequence[str], registry: Registry, mistakes: Mistakes) -> tuple[Constraint, ...]:
    """Parse bounds such as `gflops<=0.1` on known metrics that do not contradict each other."""
    bounds: list[Constraint] = []
    for text in texts:
        with mistakes.at("where"):
            if text.strip().endswith("best"):
                raise UsageError(
                    f"'{text}': what is best is not known during a search",
                    "give a number here; study front and checkpoint pull take --where 'METRIC>=0.9*best'",
                )
            bound = Constraint.parse(text)
            registry.metric(bound.metric)
            for other in bounds:
                _check_compatible(bound, other)
            bounds.append(bound)
    return tuple(bounds)


def _check_compatible(bound: Constraint, other: Constraint) -> None:
    """Raise UsageError if two bounds limit the same side of a metric, or no value satisfies both."""
    if bound.metric != other.metric:
        return
    if bound.op == other.op:
        raise UsageError(f"'{bound}' and '{other}' bound the same side of {bound.metric}", "leave one of them out")
    low, high = sorted((bound, other), key=lambda each: each.op != ">=")
    if low.bound > high.bound:
        raise UsageError(f"no value keeps both '{low}' and '{high}'", "change one of them")


def unseen_datasets(texts: Sequence[str], registry: Registry, mistakes: Mistakes) -> tuple[str, ...]:
    """Return the datasets as given, with absolute paths; one that is not located by its name needs a path."""
    datasets = []
    for text in texts:
        name, path = unseen_dataset(text)
        with mistakes.at("unseen"):
            dataset = registry.dataset(name)
            if path is not None:
                path = locate(dataset, path)
            elif dataset.named_by_path:
                raise UsageError(
                    f"unseen {name}: its name alone does not say where its files are", f"write {name}=PATH"
                )
        datasets.append(name if path is None else f"{name}={path}")
    return tuple(datasets)


def unseen_dataset(text: str) -> tuple[str, Path | None]:
    """Parse `NAME` or `NAME=PATH` of a dataset that the best model is evaluated on at the end."""
    name, _, path = text.partition("=")
    return name.strip(), Path(path.strip()).expanduser().absolute() if path.strip() else None
