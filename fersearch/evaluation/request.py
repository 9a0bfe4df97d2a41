"""Requests for evaluations: images and rules, and the resulting input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch.checkpoint_data import check_training_data, training_source
from fersearch.checkpoint_folder import card_of, trusted_registry
from fersearch.components import Dataset
from fersearch.context import notices
from fersearch.data import arrays, options
from fersearch.data.locate import locate
from fersearch.data.prepared import FACES_DETECTED
from fersearch.data.step_lists import default_of, describe, shape_of, without_depth
from fersearch.errors import DataError, UsageError, lookup
from fersearch.evaluation.class_mapping import Crossing, cross
from fersearch.evaluation.photographs import TrainedSteps
from fersearch.home import prepared_folder
from fersearch.registry import Registry
from fersearch.space import Value
from fersearch.study import Protocol

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


Progress = Callable[[int, int], None]
SPLITS = ("train", "valid", "test", "all")


@dataclass(frozen=True)
class EvaluationRequest:
    """A request to evaluate a checkpoint: which images, under which rules.

    Without a `dataset` it is the checkpoint's own, read from `data` if given. `split` is train, valid, test, or all:
    every image of data that the checkpoint was not trained on. `options` are the dataset's and override the recorded
    ones. `tta` (none, flip, five_crop, ten_crop) replaces the trial's own. `label_map` says which class of the dataset
    is which of the checkpoint; an empty string leaves a class out. With `no_duplicates` images that equal a training
    image in every pixel are left out. For data that is meant to be `unseen`, a difference from the training data is not
    noted.
    """

    dataset: str | None = None
    data: Path | None = None
    split: str = "valid"
    options: Mapping[str, str] = field(default_factory=dict)
    tta: str | None = None
    label_map: Mapping[str, str] = field(default_factory=dict)
    no_duplicates: bool = False
    trust_plugin: bool = False
    storage: str | None = None
    unseen: bool = False


@dataclass(frozen=True)
class Source:
    """A dataset as a checkpoint sees it: prepared at the size of its images, divided by a protocol."""

    dataset: Dataset
    prepared: arrays.Prepared
    chosen: Mapping[str, Value]
    protocol: Protocol
    round: int

    def load(self, limit: int | None = None, with_test: bool = False) -> arrays.Loaded:
        """Map it."""
        return arrays.load(self.dataset, self.prepared, self.chosen, self.protocol, limit, with_test, self.round)


@dataclass(frozen=True)
class EvaluationInput:
    """The card of a checkpoint and the images of a request: `rows` (int64) are those to evaluate.

    `duplicates` counts images that were left out as repetitions of training images, `left_out` images
    of each class that the checkpoint does not have.
    """

    card: Mapping[str, Any]
    registry: Registry
    loaded: arrays.Loaded
    crossing: Crossing
    rows: "Array"
    left_out: Mapping[str, int]
    duplicates: int | None

    @property
    def labels(self) -> "Array":
        """The correct output (int64) for each row."""
        return self.crossing.labels(self.loaded.hard[self.rows])


def open_input(
    checkpoint: Path, request: EvaluationRequest, progress: Progress | None = None, registry: Registry | None = None
) -> EvaluationInput:
    """Load the images of a request and match their classes with the checkpoint's; the model is not opened yet.

    Without a `registry`, the components are the installed ones and those in the plugin files beside the checkpoint.

    Raises:
        UsageError: fewer than two classes are shared, or a split or option is not offered.
        DataError: the dataset is missing or broken, or no image is left to evaluate.
    """
    lookup("split", request.split, dict.fromkeys(SPLITS))
    card, registry = card_of(checkpoint), registry or trusted_registry(checkpoint, request.trust_plugin)
    own = request.dataset in (None, card["dataset"]["name"])
    _refuse_training_images(request, own)
    trained = _trained(checkpoint, registry, request, own)
    source = _source(card, registry, request, own, progress, trained)
    limit = card["dataset"]["limit"] if own and request.split != "test" else None
    loaded = _load(source, request, limit)
    if own:
        _check_own(card, loaded, request)
    crossing = cross(card["class_names"], loaded.task.class_names, request.label_map)
    rows = _rows(loaded, request.split)
    left_out = {
        name: int((loaded.hard[rows] == loaded.task.class_names.index(name)).sum()) for name in crossing.left_out
    }
    rows = rows[crossing.labels(loaded.hard[rows]) >= 0]
    duplicates = None
    if request.no_duplicates:
        train = (source if own else _training(card, registry, request, progress)).load()
        repeated = _repeated(loaded.images, rows, train)
        duplicates, rows = int(repeated.sum()), rows[~repeated]
    if not len(rows):
        raise DataError(
            f"dataset {source.dataset.name} leaves no {request.split} image to evaluate",
            "choose another --split, or --map",
        )
    return EvaluationInput(card, registry, loaded, crossing, rows, left_out, duplicates)


def _trained(checkpoint: Path, registry: Registry, request: EvaluationRequest, own: bool) -> TrainedSteps | None:
    """Return the steps whose shape the pictures of a request take; None where the dataset's own are the same."""
    if own and request.data is None:
        return None
    trained = TrainedSteps.of(checkpoint, registry)
    return None if own and (trained.derived or trained.differ) else trained


def _refuse_training_images(request: EvaluationRequest, own: bool) -> None:
    if request.split == "all" and own and request.data is None:
        raise _not_fair()
    if request.no_duplicates and request.split == "train":
        raise UsageError("every image of train occurs in train", "--no-duplicates applies to valid, test or all")


def _not_fair() -> UsageError:
    return UsageError(
        "the checkpoint was trained on this dataset, so all of its images are not a fair test",
        "choose --split valid or test, or another dataset",
    )


def _check_own(card: Mapping[str, Any], loaded: arrays.Loaded, request: EvaluationRequest) -> None:
    """Refuse data that differs from the training data, and all images of the training data as a test."""
    same = check_training_data(
        card, loaded.identity, request.split, request.data, bool(request.options), request.unseen
    )
    if request.split == "all" and same is not False:
        raise _not_fair()


def _training(
    card: Mapping[str, Any], registry: Registry, request: EvaluationRequest, progress: Progress | None
) -> Source:
    """Return the data that the checkpoint was trained on, for a request on other data."""
    usual = EvaluationRequest(storage=request.storage)
    source = _source(card, registry, usual, True, progress)
    check_training_data(card, source.load(card["dataset"]["limit"]).identity, "train", None, False)
    return source


def _source(
    card: Mapping[str, Any],
    registry: Registry,
    request: EvaluationRequest,
    own: bool,
    progress: Progress | None = None,
    trained: TrainedSteps | None = None,
) -> Source:
    """Return the checkpoint's own dataset under its own protocol, or another with its own split.

    The pictures of another take the shape of the `trained` ones.
    """
    recorded = card["dataset"]
    dataset = registry.dataset(request.dataset or recorded["name"])
    shape = {"image_size": int(card["image_size"]), "channels": int(card["channels"])}
    values: dict[str, Value] = dict(recorded["options"]) if own else {**_offered(dataset, recorded["options"]), **shape}
    values |= options.parse(dataset, request.options)
    values["target"] = recorded["target"] if own else dataset.targets[0]
    chosen = {**options.decoding(dataset, values), **options.loading(dataset, values)}
    if trained and _says_how(request, dataset):
        trained = None
    steps = without_depth(default_of(trained.steps)) if trained else None
    is_sought = own and request.data is None
    where = training_source(card, dataset, chosen, request.storage) if is_sought else locate(dataset, request.data)
    prepared = arrays.prepare(dataset, where, chosen, prepared_folder(), progress, None if own else steps)
    if own and steps and without_depth(prepared.steps or ()) != steps:  # another form of it, that is cut otherwise
        prepared = arrays.prepare(dataset, where, chosen, prepared_folder(), progress, steps)
    if trained:
        notices.extend(_cut_notes(dataset.name, prepared, trained))
    protocol = Protocol.from_json(card["protocol"])
    return Source(
        dataset, prepared, chosen, protocol if own else Protocol(split_seed=protocol.split_seed), card.get("round", 1)
    )


def _says_how(request: EvaluationRequest, dataset: Dataset) -> bool:
    """Return whether the request itself sets how images become inputs."""
    return bool(request.options.keys() & (dataset.decoding.keys() - {"preprocess"}))


def _cut_notes(name: str, prepared: arrays.Prepared, trained: TrainedSteps) -> list[str]:
    """Return the notices on how another dataset's pictures take the shape of the training images."""
    trained_shape, own = shape_of(default_of(trained.steps)), shape_of(default_of(prepared.steps or []))
    notes = [trained.note] if trained.note else []
    if trained_shape != own:
        notes.append(f"{name} cuts its images itself ({describe(own) or 'unknown'}), not as in training")
    return notes + [f"{name}: {line}" for line in prepared.findings if line == FACES_DETECTED]


def _offered(dataset: Dataset, recorded: Mapping[str, Value]) -> dict[str, Value]:
    """Return the preprocessing of the training images, as far as another dataset offers it."""
    return {name: recorded[name] for name in ("preprocess",) if name in recorded and name in dataset.decoding}


def _load(source: Source, request: EvaluationRequest, limit: int | None) -> arrays.Loaded:
    if request.split != "all":
        return source.load(limit, with_test=request.split == "test")
    try:
        return source.load(with_test=True)
    except DataError:  # it has no test split
        return source.load()


def _rows(loaded: arrays.Loaded, split: str) -> "Array":
    import numpy as np

    parts = loaded.indices.values() if split == "all" else [loaded.indices[split]]
    return np.sort(np.concatenate([np.asarray(part) for part in parts]))


def _repeated(images: "Array", rows: "Array", train: arrays.Loaded) -> "Array":
    """Return which rows (bool) equal a training image in every pixel."""
    import numpy as np

    from fersearch.data.digests import pixel_digest

    seen = {pixel_digest(train.images[row]) for row in train.indices["train"]}
    return np.array([pixel_digest(images[row]) in seen for row in rows], bool)
