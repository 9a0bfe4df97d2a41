"""Findings about a dataset before a study trains on it, and mistakes before a study is stored."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from fersearch.components import Task
from fersearch.context import notices
from fersearch.data.locate import locate
from fersearch.errors import DataError
from fersearch.home import prepared_folder
from fersearch.isolation import in_child
from fersearch.registry import Registry
from fersearch.space import Choice
from fersearch.study import StudySpec

if TYPE_CHECKING:
    from fersearch.data.arrays import Loaded, Prepared


Progress = Callable[[int, int], None]
TRIED = 8  # most configurations of an architecture that are tried, until one accepts the images


def check_data(registry: Registry, specs: Iterable[StudySpec], progress: Progress | None = None) -> None:
    """Read the data of studies and note findings; a dataset without files has none.

    Raises:
        DataError: an image cannot be read, the data does not fit the protocol, or a class has no image to train on.
    """
    from fersearch.data import arrays  # here, for it loads numpy

    for spec in specs:
        dataset = registry.dataset(spec.dataset)
        source = locate(dataset, spec.data)
        if source is None:
            check_inputs(registry, spec)
            continue
        prepared = arrays.prepare(dataset, source, spec.dataset_options, prepared_folder(), progress)
        params = {**spec.dataset_options, "target": dataset.targets[0]}
        loaded = arrays.load(dataset, prepared, params, spec.protocol, spec.limit)
        check_taught(dataset.name, loaded)
        notices.extend(findings(prepared, loaded))
        check_inputs(registry, spec, loaded.task)
        _check_batches(registry, spec, loaded.task)


def check_inputs(registry: Registry, spec: StudySpec, task: Task | None = None) -> None:
    """Raise UsageError if one of several architectures cannot take the images of their study.

    Without a `task` the options of the dataset say what its images are.
    """
    if not spec.one_study:
        return
    options = spec.dataset_options
    task = task or Task(("one", "other"), int(options.get("channels", 1)), int(options.get("image_size", 48)))
    in_child(partial(_refuse_unfit, registry, spec, task), "torch")


def _refuse_unfit(registry: Registry, spec: StudySpec, task: Task) -> None:
    from fersearch.training.inputs import refuse_unfit  # here, for it loads torch

    for name, several in groupby(spec.examples(most=TRIED), key=itemgetter(0)):
        refuse_unfit(registry.architecture(name), [params for _, params in several], task)


def _check_batches(registry: Registry, spec: StudySpec, task: Task) -> None:
    """Raise UsageError if a study may form batches of one image from which its architecture cannot learn."""
    sizes = spec.space.dimensions.get("batch_size")
    if sizes is None or min(sizes.options if isinstance(sizes, Choice) else [sizes.low]) != 1:
        return
    from fersearch.training.measure import refuse_single_images  # here, for it loads torch

    for name, params in spec.examples():
        refuse_single_images(registry.architecture(name), params, task)


def check_taught(dataset: str, loaded: "Loaded") -> None:
    """Raise DataError if a class with images to evaluate has none to train on."""
    if loaded.untaught:
        message = f"dataset {dataset}: {'; '.join(loaded.untaught)}"
        raise DataError(message, "add some to train, leave the class out, or draw another split")


def findings(prepared: "Prepared", loaded: "Loaded") -> list[str]:
    """Return the findings of a dataset, each prefixed with its name."""
    from fersearch.data.verify import findings_of

    classes = loaded.task.class_names
    absent = [name for k, name in enumerate(classes) if k not in set(loaded.hard.tolist())]
    lines = findings_of(prepared, classes)
    if absent:
        lines.append(f"no image of {', '.join(absent)}: a model has outputs for them that are never trained")
    return [f"{prepared.name}: {line}" for line in lines]
