"""The components that plugins provide: architectures, datasets and metrics, and the task they share.

Nothing here imports torch or numpy, so that listing plugins stays instant: a component imports
its libraries inside the method that needs them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fersearch.errors import UnknownName, UsageError
from fersearch.space import Choice, Dimension, Int, Params, Value

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


@dataclass(frozen=True)
class Task:
    """The classification task of a model: the classes and the shape of its square images.

    `channels` is 1 (grey) or 3 (RGB); `image_size` is the side in pixels.
    """

    class_names: tuple[str, ...]
    channels: int = 1
    image_size: int = 48

    @property
    def num_classes(self) -> int:
        """The number of outputs."""
        return len(self.class_names)


class Architecture(ABC):
    """A family of networks with its own search space.

    `space` holds its own dimensions, beside the recipe's. `stage_names` are the parts that
    `freeze` counts, input first; the last one is the classifier. `weights` names the pretrained
    sources it knows.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    space: ClassVar[Mapping[str, Dimension]] = {}
    stage_names: ClassVar[tuple[str, ...]]
    weights: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def build(self, params: Params, task: Task) -> "nn.Module":
        """Return a new model: float32 images (n, channels, size, size) to logits (n, num_classes).

        `params` holds every parameter of the trial; `params["dropout"]` is the recipe's.
        """

    @abstractmethod
    def stages(self, model: "nn.Module") -> Sequence["nn.Module"]:
        """Return the model's parts in the order of `stage_names`."""

    def load_pretrained(self, model: "nn.Module", source: str, params: Params, task: Task) -> None:
        """Load the weights of a named source of `weights`, in place; the classifier stays as it is.

        Raises:
            FersearchError: the source cannot be reached or does not fit.
        """
        raise NotImplementedError(f"{self.name} has no pretrained weights")

    def variant(self, name: str) -> "Architecture":
        """Return the network that `name` stands for: what follows the colon in `family:name`, empty without one.

        A family of many networks overrides it; the `name` of what it returns is the whole `family:name`.

        Raises:
            UnknownName: the architecture has no such variant, or is none without one.
        """
        if name:
            raise UnknownName(f"{self.name} has no variants such as '{name}'", f"did you mean '{self.name}'?")
        return self


@dataclass
class Raw:
    """The raw content of a dataset's files, before labels are decided.

    `images` yields uint8 arrays (channels, size, size), `count` of them, in the order of the rows
    of `columns`. `columns` may hold `label` (int64, an index into `class_names`), `votes` (uint8,
    one column per class name), `split` (int8: 0 train, 1 valid, 2 test), `subject` and `name`
    (str), and whatever else the dataset's `label` needs. `findings` are warnings for the user.
    `images` returned by `fersearch.data.images.decode_all` carry their preprocessing steps.
    """

    count: int
    images: Iterable["np.ndarray[Any, Any]"]
    columns: dict[str, "np.ndarray[Any, Any]"]
    class_names: tuple[str, ...]
    findings: list[str] = field(default_factory=list)


@dataclass
class Labels:
    """Labels, targets and splits of the prepared images under one choice of options.

    `hard` (int64, n) is the class index that metrics compare with; `soft` (float32, n x classes)
    the training targets where they are distributions, else None. `split` (int8, n) is 0 train,
    1 valid, 2 test, -1 left out, -2 to be drawn by the protocol. `subject` groups images of one
    person. `source` (str, n) names the dataset that each image came from, where several are merged.
    """

    class_names: tuple[str, ...]
    hard: "np.ndarray[Any, Any]"
    split: "np.ndarray[Any, Any]"
    soft: "np.ndarray[Any, Any] | None" = None
    subject: "np.ndarray[Any, Any] | None" = None
    source: "np.ndarray[Any, Any] | None" = None


class Dataset(ABC):
    """Labelled faces on disk (or drawn), prepared once and mapped by every trial.

    `decoding` are the options that change the prepared pixels, `options` those applied when it is
    loaded; each dimension's `search` text is its default. A `preprocess` among them is applied to
    the output of `read`. `targets` are the training targets it
    offers, the default first. `version` changes when the output of `read` does. `licence` is
    one line that travels with every checkpoint. `named_by_path` says that the name stands for a layout shared by many
    sets of images: its files are never found by name, and each study stores its own path.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    version: ClassVar[int] = 1
    needs_data: ClassVar[bool] = True
    named_by_path: ClassVar[bool] = False
    expected: ClassVar[str] = ""
    decoding: ClassVar[Mapping[str, Dimension]] = {
        "image_size": Int(8, 1024, search="48"),
        "channels": Choice(1, 3, search="1"),
        "preprocess": Choice("none", "equalize", "illumination", search="none"),
    }
    options: ClassVar[Mapping[str, Dimension]] = {}
    targets: ClassVar[tuple[str, ...]] = ("majority",)

    def connect(self, datasets: Mapping[str, "Dataset"]) -> None:  # noqa: B027
        """Take every dataset by name, once all plugins are loaded: for one that is made of others."""

    @abstractmethod
    def files(self, source: Path) -> Sequence[Path]:
        """Return every file that `read` would read.

        Raises:
            DataError: the folder or file holds no such dataset; the message says what was found
                and what is expected.
        """

    @abstractmethod
    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        """Read labels and prepare to decode images, which `Raw.images` does one by one.

        Raises:
            DataError: a file is missing, corrupt or not what it should be; the message names it.
        """

    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]] | None:
        """Say how one picture becomes an input: the steps of `fersearch.data.steps`, in order, without `preprocess`.

        `predict` does the same to a photograph. A dataset that cuts its pictures otherwise than to the middle square
        overrides it, unless `read` hands on what `decode_all` gives; None where the options alone do not tell.
        """
        size, channels = int(options.get("image_size", 48)), int(options.get("channels", 1))
        return [{"step": "colour", "channels": channels}, {"step": "fit", "size": size}]

    @abstractmethod
    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        """Derive labels, targets and splits from prepared columns.

        `params` holds the dataset's options and `target`.
        """


@dataclass(frozen=True)
class Evaluation:
    """The inputs of a metric.

    `probabilities` (float32, n x classes) and `labels` (int64, n) of one split. The measured
    figures cover the trial up to this epoch: `train_seconds` (wall) and `cpu_seconds` of training
    without start-up and validation, `eval_seconds` of the last pass over the split,
    `peak_memory_bytes` and `mean_memory_bytes` during training, trainable and frozen
    `parameters`, `model_bytes` on disk, `flops` (floating-point operations) and `latency_seconds`
    of one image through the model.
    `averaged` are the indices of the classes that averages over classes include, if the model
    has outputs for classes that cannot occur in the data; None for all.
    """

    probabilities: "np.ndarray[Any, Any]"
    labels: "np.ndarray[Any, Any]"
    class_names: tuple[str, ...]
    train_seconds: float = 0.0
    cpu_seconds: float = 0.0
    eval_seconds: float = 0.0
    peak_memory_bytes: int = 0
    mean_memory_bytes: int = 0
    parameters: int = 0
    model_bytes: int = 0
    flops: int = 0
    latency_seconds: float = 0.0
    averaged: tuple[int, ...] | None = None


class Metric(ABC):
    """A number about a trial, with a direction and a unit.

    `measured` metrics read clocks and counters, the others predictions. A `cumulative` one grows
    with every epoch, so a stopped trial's value is projected to its full budget; a `whole_trial`
    one is reported for the trial and not for its kept epoch. `log_scale` ranks ratios instead of
    differences. An `of_model` one reads only the figures of the untrained model (`parameters`,
    `model_bytes`, `flops`, `latency_seconds`), so that a bound on it is checked before training.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    direction: ClassVar[str] = "max"
    unit: ClassVar[str] = ""
    measured: ClassVar[bool] = False
    cumulative: ClassVar[bool] = False
    whole_trial: ClassVar[bool] = False
    log_scale: ClassVar[bool] = False
    of_model: ClassVar[bool] = False

    @abstractmethod
    def compute(self, evaluation: Evaluation) -> float:
        """Return the value; NaN where it is undefined (a class without images, say)."""

    def by_class(self, evaluation: Evaluation) -> Sequence[float] | None:  # noqa: ARG002
        """Return the value of every class on its own, in the order of the classes; None if there is no such thing."""
        return None

    def of_confusions(self, matrices: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any] | None":  # noqa: ARG002
        """Return the values (float64, n) that follow from confusion matrices (int64, n x classes x classes).

        Rows are the true classes. None for a metric that needs more than the counts: it has no standard error then.
        """
        return None


def trained_task(task: Task, params: Params) -> Task:
    """Return the task that a trial's network is built for: the dataset's, at `crop` pixels if `params` say so.

    Raises:
        UsageError: the crop is larger than the images.
    """
    crop = int(params.get("crop", task.image_size))
    if crop > task.image_size:
        message = f"crop: {crop} pixels cannot be cut from images of {task.image_size}x{task.image_size}"
        raise UsageError(message, f"give crop={task.image_size} or less, or larger images: --image-size {crop}")
    return replace(task, image_size=crop)
