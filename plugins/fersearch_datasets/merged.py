"""Several datasets as one, under one scheme of classes, each image keeping the name of its source.

A TOML file lists the datasets, their locations, and new names for some of their labels:

    scheme = "s003_4"

    [[part]]
    dataset = "rafdb"
    data = "rafdb"                        # relative to this file; without it the dataset is found by its name

    [[part]]
    dataset = "fed2023"
    name = "fed"                          # the source of its images; without it the dataset's name
    options = {}
    labels = { confusion = "" }           # a label of this part to another class; "" drops it

A class from only one source can be recognised by the camera: `dataset show` says which, and how accurate a
classifier would be that knows only the source.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fersearch import Choice, DataError, Dataset, Labels, Raw, hookimpl
from fersearch.data.folders import single
from fersearch.space import Value
from fersearch_datasets._schemes import NAMES

if TYPE_CHECKING:
    from fersearch.data.pictures import Joined
    from fersearch.data.step_lists import Steps
    from fersearch_datasets._merged_file import MergedFile, Part

UNSAID = "union"


class Merged(Dataset):
    """Merges the images of several datasets. Parts keep their own split; images without one are drawn together.

    They go to train, and to valid and test where no part has its own: a source without a split, beside one with a
    test split, is only in train and valid. Targets are the parts' classes (a dataset of votes gives its
    majority). `scheme` is the file's, or union where it names none, unless one is requested: another scheme
    needs no second copy of the images. Subjects get their source before their name.
    """

    name = "merged"
    summary = "several datasets as one, by a TOML file with a label map and a scheme of classes"
    licence = "The licences of all its parts apply together; `fersearch dataset show` lists them."
    named_by_path = True
    expected = 'a TOML file with tables [[part]], each with dataset = "..." and data = "..."'
    options = {"scheme": Choice("file", *NAMES, search="file")}

    def __init__(self, datasets: Mapping[str, Dataset] | None = None) -> None:
        self.datasets: dict[str, Dataset] = {}
        self.connect(datasets or {})

    def connect(self, datasets: Mapping[str, Dataset]) -> None:
        """Receive the datasets that parts may name; if a part must be read again, so must this dataset."""
        self.datasets = {name: dataset for name, dataset in datasets.items() if not isinstance(dataset, Merged)}
        vars(self)["version"] = type(self).version + sum(dataset.version for dataset in self.datasets.values())

    def files(self, source: Path) -> Sequence[Path]:
        from fersearch_datasets import _merged_file as merged_file

        file = self._file(source)
        mistakes = merged_file.Mistakes(file.path)
        files = [file.path]
        for part in file.parts:
            with mistakes.at(part.key):
                files += part.dataset.files(part.path or Path())
        mistakes.settle()
        return list(dict.fromkeys(files))

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        from fersearch_datasets import _merged_file as merged_file

        file = self._file(source)
        mistakes = merged_file.Mistakes(file.path)
        parts: list[_Read] = []
        for part in file.parts:
            with mistakes.at(part.key):
                parts.append(_read(part, options))
        mistakes.settle()
        return _joined(parts, file.scheme or UNSAID)

    def steps(self, options: Mapping[str, Value]) -> list[dict[str, Any]] | None:
        return None  # its parts have their own

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        import numpy as np

        from fersearch_datasets import _schemes as schemes

        label, source = np.asarray(columns["label"]), np.asarray(columns["source"])
        requested = str(params["scheme"])
        name = str(columns["scheme"][0]) if requested == "file" else requested
        source_labels = {
            part: [class_names[k] for k in np.unique(label[source == part]) if k >= 0] for part in _unique(source)
        }
        scheme = schemes.resolve(name, source_labels)
        classes = scheme.class_names
        if len(classes) < 2:
            listing = "\n  ".join(f"{part} has {', '.join(names)}" for part, names in source_labels.items())
            raise DataError(f"scheme {name} leaves {len(classes)} of the sources' classes", listing)
        to_class = [scheme.class_of(label_name) for label_name in class_names]
        place = np.array(
            [-1 if class_name is None else classes.index(class_name) for class_name in to_class] + [-1], np.int64
        )
        hard = place[label]  # -1, left out, takes the last
        split = np.where(hard < 0, -1, columns["split"]).astype(np.int8)
        return Labels(classes, hard, split, subject=columns["subject"], source=source)

    def _file(self, source: Path) -> "MergedFile":
        from fersearch_datasets import _merged_file as merged_file

        return merged_file.read(single(source, ".toml", self.expected), self.datasets)


def _unique(source: Any) -> list[str]:
    """Return every source once, in the order of the parts."""
    import numpy as np

    names, first = np.unique(source, return_index=True)
    return [str(names[k]) for k in np.argsort(first)]


@dataclass
class _Read:
    """One part as its dataset read and labelled it: `class_labels` are its classes after renaming, "" where dropped.

    `steps` are the steps that its dataset declares.
    """

    part: "Part"
    raw: Raw
    labels: Labels
    class_labels: list[str]
    steps: "Steps | None"


def _read(part: "Part", options: Mapping[str, Value]) -> _Read:
    from fersearch.data import options as dataset_options
    from fersearch.data.step_lists import declared
    from fersearch.data.views import check_labels

    dataset = part.dataset
    shared = {name: options[name] for name in ("image_size", "channels") if name in dataset.decoding}
    target = "majority" if "majority" in dataset.targets else dataset.targets[0]
    decoding = dataset_options.decoding(dataset, {**part.options, **shared})
    raw = dataset.read(part.path or Path(), decoding)
    params = dataset_options.loading(dataset, {**part.options, "target": target})
    labels = dataset.label(raw.columns, raw.class_names, params)
    check_labels(dataset.name, labels, raw.count)
    return _Read(part, raw, labels, _class_labels(part, labels.class_names), declared(dataset, decoding))


def _class_labels(part: "Part", class_names: Sequence[str]) -> list[str]:
    """Return the new label of each class of a part: as renamed in the file, else its canonical name."""
    from fersearch.data.labels import canonical
    from fersearch.errors import suggestion
    from fersearch_datasets._merged_file import key_of

    by_key = {key_of(name): name for name in class_names}
    for label in part.labels:
        if label not in by_key:
            hint = suggestion(label, by_key).replace("known:", "its classes:")
            raise DataError(f"labels.{label}: {part.dataset.name} has no such class", hint)
    renamed = [part.labels.get(key_of(name)) for name in class_names]
    return [
        canonical(name) if new_label is None else new_label
        for name, new_label in zip(class_names, renamed, strict=True)
    ]


def _joined(parts: Sequence[_Read], scheme: str) -> Raw:
    import numpy as np

    from fersearch.data.labels import in_order

    columns = [_columns(read) for read in parts]
    image_labels = np.concatenate([part.pop("class_name") for part in columns])
    class_names = in_order(set(image_labels.tolist()) - {""})
    place = {"": -1, **{class_name: k for k, class_name in enumerate(class_names)}}
    joined: dict[str, Any] = {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}
    joined["label"] = np.array([place[class_name] for class_name in image_labels.tolist()], np.int64)
    joined["scheme"] = np.full(len(image_labels), scheme)
    findings = [line for read in parts for line in _unknown_labels(read)]
    return Raw(len(image_labels), _images(parts, findings), joined, class_names, findings)


def _columns(read: _Read) -> dict[str, Any]:
    """Return the columns of one part's images; `class_name` is "" where the part or its renaming leaves them out."""
    import numpy as np

    name, labels, n = read.part.name, read.labels, read.raw.count
    split = np.asarray(labels.split, np.int8)
    image_classes = np.array([*read.class_labels, ""])[np.where(split == -1, -1, labels.hard)]
    subjects = [""] * n if labels.subject is None else np.asarray(labels.subject).tolist()
    names = read.raw.columns.get("name", np.arange(n)).tolist()
    return {
        "class_name": image_classes,
        "split": np.where(image_classes == "", -1, split).astype(np.int8),
        "source": np.full(n, name),
        "subject": np.array([f"{name}:{subject}" if subject else "" for subject in subjects], str),
        "name": np.array([f"{name}/{image}" for image in names], str),
    }


def _unknown_labels(read: _Read) -> list[str]:
    """Return findings on new labels that no fixed scheme has: typing errors, or classes of the user's own."""
    from fersearch.data.labels import CANONICAL
    from fersearch.errors import suggestion

    own = sorted({class_name for class_name in read.part.labels.values() if class_name} - set(CANONICAL))
    return [
        f"{read.part.name}: '{name}' is not a label of a fixed scheme ({suggestion(name, CANONICAL).split('? ')[0]}?); "
        "only union and intersection can use it"
        for name in own
    ]


def _images(parts: Sequence[_Read], findings: list[str]) -> "Joined":
    """Return the images of all parts in turn; once its last image is read, a part's findings are added."""
    from fersearch.data.pictures import Joined

    by_name = {read.part.name: read for read in parts}

    def source_finished(name: str) -> None:
        read = by_name[name]
        findings.extend(f"{name}: {line}" for line in read.raw.findings)
        if read.labels.soft is not None:
            findings.append(f"{name}: its distributions of votes are not used; its classes are")

    images = {name: read.raw.images for name, read in by_name.items()}
    counts = {name: read.raw.count for name, read in by_name.items()}
    return Joined(images, counts, {name: read.steps for name, read in by_name.items()}, source_finished)


@hookimpl
def register_datasets(register: Any) -> None:
    """Register merged datasets."""
    register(Merged())
