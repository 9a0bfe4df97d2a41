"""Several datasets as one, under one scheme of classes, each image keeping the name of its source.

A TOML file says which datasets, where they are, and what some of their labels are renamed to:

    scheme = "s003_4"

    [[part]]
    dataset = "rafdb"
    data = "rafdb"                        # relative to this file; without it the dataset is found by its name

    [[part]]
    dataset = "fed2023"
    name = "fed"                          # the source of its images; without it the dataset's name
    options = {}
    labels = { confusion = "" }           # a label of this part to another class; "" drops it

A class that one source alone brings can be told by the camera: `dataset show` says which, and what knowing only the
source is worth.
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
    """Parts keep their own split where they have one; what they leave to be drawn is drawn for all together.

    It goes to train, and to those of valid and test that no part brings: a source without a split, beside one with a
    test of its own, is in train and valid alone. Targets are the parts' classes (a dataset of votes gives its
    majority). `scheme` is that of the file, or union where it names none, unless one is asked for: another scheme
    needs no second copy of the images. Subjects get their source before their name.
    """

    name = "merged"
    summary = "several datasets as one, by a TOML file with a label map and a scheme of classes"
    licence = "The licences of all its parts hold together; `fersearch dataset show` has each."
    named_by_path = True
    expected = 'a TOML file with tables [[part]], each with dataset = "..." and data = "..."'
    options = {"scheme": Choice("file", *NAMES, search="file")}

    def __init__(self, datasets: Mapping[str, Dataset] | None = None) -> None:
        self.datasets: dict[str, Dataset] = {}
        self.connect(datasets or {})

    def connect(self, datasets: Mapping[str, Dataset]) -> None:
        """Take the datasets that parts may name; a part that reads anew makes this one read anew."""
        self.datasets = {name: dataset for name, dataset in datasets.items() if not isinstance(dataset, Merged)}
        vars(self)["version"] = type(self).version + sum(dataset.version for dataset in self.datasets.values())

    def files(self, source: Path) -> Sequence[Path]:
        from fersearch_datasets import _merged_file as merged_file

        file = self._file(source)
        mistakes = merged_file.Mistakes(file.path)
        found = [file.path]
        for part in file.parts:
            with mistakes.at(part.key):
                found += part.dataset.files(part.path or Path())
        mistakes.settle()
        return list(dict.fromkeys(found))

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
        return None  # they are those of its parts

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        import numpy as np

        from fersearch_datasets import _schemes as schemes

        label, source = np.asarray(columns["label"]), np.asarray(columns["source"])
        asked = str(params["scheme"])
        name = str(columns["scheme"][0]) if asked == "file" else asked
        words = {part: [class_names[k] for k in np.unique(label[source == part]) if k >= 0] for part in _unique(source)}
        scheme = schemes.resolve(name, words)
        classes = scheme.class_names
        if len(classes) < 2:
            told = "\n  ".join(f"{part} has {', '.join(held)}" for part, held in words.items())
            raise DataError(f"scheme {name} leaves {len(classes)} of the sources' classes", told)
        to_class = [scheme.class_of(word) for word in class_names]
        place = np.array([-1 if found is None else classes.index(found) for found in to_class] + [-1], np.int64)
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
    """One part as its dataset read and labelled it: `words` are its classes after renaming, "" where dropped.

    `steps` are those that its dataset declares.
    """

    part: "Part"
    raw: Raw
    labels: Labels
    words: list[str]
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
    return _Read(part, raw, labels, _words(part, labels.class_names), declared(dataset, decoding))


def _words(part: "Part", class_names: Sequence[str]) -> list[str]:
    """Return the word for each class of a part: its own renaming first, else the canonical word."""
    from fersearch.data.labels import canonical
    from fersearch.errors import suggestion
    from fersearch_datasets._merged_file import key_of

    held = {key_of(name): name for name in class_names}
    for label in part.labels:
        if label not in held:
            hint = suggestion(label, held).replace("known:", "its classes:")
            raise DataError(f"labels.{label}: {part.dataset.name} has no such class", hint)
    renamed = [part.labels.get(key_of(name)) for name in class_names]
    return [canonical(name) if word is None else word for name, word in zip(class_names, renamed, strict=True)]


def _joined(parts: Sequence[_Read], scheme: str) -> Raw:
    import numpy as np

    from fersearch.data.labels import in_order

    columns = [_columns(read) for read in parts]
    words = np.concatenate([part.pop("word") for part in columns])
    class_names = in_order(set(words.tolist()) - {""})
    place = {"": -1, **{word: k for k, word in enumerate(class_names)}}
    joined: dict[str, Any] = {name: np.concatenate([part[name] for part in columns]) for name in columns[0]}
    joined["label"] = np.array([place[word] for word in words.tolist()], np.int64)
    joined["scheme"] = np.full(len(words), scheme)
    findings = [line for read in parts for line in _own_words(read)]
    return Raw(len(words), _images(parts, findings), joined, class_names, findings)


def _columns(read: _Read) -> dict[str, Any]:
    """Return what the images of one part bring; their word is "" where the part or its renaming leaves them out."""
    import numpy as np

    name, labels, n = read.part.name, read.labels, read.raw.count
    split = np.asarray(labels.split, np.int8)
    word = np.array([*read.words, ""])[np.where(split == -1, -1, labels.hard)]
    subjects = [""] * n if labels.subject is None else np.asarray(labels.subject).tolist()
    names = read.raw.columns.get("name", np.arange(n)).tolist()
    return {
        "word": word,
        "split": np.where(word == "", -1, split).astype(np.int8),
        "source": np.full(n, name),
        "subject": np.array([f"{name}:{subject}" if subject else "" for subject in subjects], str),
        "name": np.array([f"{name}/{image}" for image in names], str),
    }


def _own_words(read: _Read) -> list[str]:
    """Words of a renaming that no fixed scheme knows: a slip, or a class of one's own."""
    from fersearch.data.labels import CANONICAL
    from fersearch.errors import suggestion

    own = sorted({word for word in read.part.labels.values() if word} - set(CANONICAL))
    return [
        f"{read.part.name}: '{word}' is not a word of a fixed scheme ({suggestion(word, CANONICAL).split('? ')[0]}?); "
        "union and intersection alone can teach it"
        for word in own
    ]


def _images(parts: Sequence[_Read], findings: list[str]) -> "Joined":
    """Return the images of all parts in turn; what a part says of itself when its last is read joins the findings."""
    from fersearch.data.pictures import Joined

    by_name = {read.part.name: read for read in parts}

    def told(name: str) -> None:
        read = by_name[name]
        findings.extend(f"{name}: {line}" for line in read.raw.findings)
        if read.labels.soft is not None:
            findings.append(f"{name}: its distributions of votes are not used; its classes are")

    images = {name: read.raw.images for name, read in by_name.items()}
    counts = {name: read.raw.count for name, read in by_name.items()}
    return Joined(images, counts, {name: read.steps for name, read in by_name.items()}, told)


@hookimpl
def register_datasets(register: Any) -> None:
    """Bring merged datasets."""
    register(Merged())
