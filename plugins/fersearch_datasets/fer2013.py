"""FER2013: 35,887 faces in seven classes, as one CSV or as folders of JPEG files.

Goodfellow et al., "Challenges in Representation Learning", 2013. Training, PublicTest and PrivateTest are train,
valid and test. Labels are mapped by name: the order of the folders is not that of the CSV's codes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fersearch import DataError, Dataset, Labels, Raw, hookimpl
from fersearch.data.class_folders import ClassFolder, class_folders, part_folders
from fersearch.data.csvfile import rows
from fersearch.data.folders import contents_of, roots
from fersearch.data.labels import EMOTIONS, canonical, check_base
from fersearch.space import Value
from fersearch_datasets._fer2013_codes import FER2013

CLASSES = EMOTIONS[:7]
CODES = {str(code): name for code, name in enumerate(FER2013)}
PARTS = ("train", "valid", "test")
OFFICIAL = (28_709, 3_589, 3_589)
PREFIXES = {"Training_": 0, "PublicTest_": 1, "PrivateTest_": 2}
PUBLISHED = {"training", "publictest", "privatetest"}


class Fer2013(Dataset):
    """FER2013 with its official split: by Usage in the CSV, by the prefix of the file names in the folders."""

    name = "fer2013"
    version = 2
    summary = "FER2013: 35,887 grey 48x48 faces, seven classes"
    licence = "FER2013: Kaggle competition rules, research only."
    expected = "fer2013.csv (emotion,pixels,Usage) or icml_face_data.csv, or train/<class>/ and test/<class>/"

    def files(self, source: Path) -> Sequence[Path]:
        table = _table(source)
        return [table] if table else [image for folder in _folders(source, []) for image in folder.images]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        table = _table(source)
        return _read_table(table, options) if table else _read_folders(source, options)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], columns["split"])


def _table(source: Path) -> Path | None:
    from fersearch_datasets import _fer2013_csv as fer2013_csv

    places = [source] if source.is_file() else roots(source)
    table = next((table_path for root in places if (table_path := fer2013_csv.find(root))), None)
    if table is None and source.is_file():
        raise DataError(f"{source} is not a CSV file", f"expected {Fer2013.expected}")
    return table


def _read_table(table: Path, options: Mapping[str, Value]) -> Raw:
    import numpy as np

    from fersearch_datasets import _fer2013_csv as fer2013_csv

    read = rows(table, ["emotion", "pixels"], split=fer2013_csv.SPLIT)
    labelled = [(row.where, row.required("emotion"), fer2013_csv.part(row)) for row in read]
    findings = check_base([(where, text) for where, text, _ in labelled], CODES)
    listed = [(_class_index(text, where, CODES), part) for where, text, part in labelled]
    columns: dict[str, Any] = {
        "label": np.array([label for label, _ in listed], np.int64),
        "split": np.array([part for _, part in listed], np.int8),
        "name": np.array([f"row-{k:05d}" for k in range(len(listed))], str),
    }
    findings += _unexpected([part for _, part in listed])
    if any(part == -2 for _, part in listed):
        findings.append("rows without Usage are not the official split: train, valid and test are drawn from them")
    images = fer2013_csv.faces(table, [True] * len(listed), int(options["image_size"]), int(options["channels"]))
    return Raw(len(listed), images, columns, CLASSES, findings)


def _class_index(text: str, where: str, codes: Mapping[str, str] | None = None) -> int:
    """Return the class of a name, or of a code where there are codes."""
    name = canonical(text, where, CLASSES, codes)
    if name not in CLASSES:
        raise DataError(f"{where}: '{text}' is not a class of FER2013", f"its classes: {', '.join(CLASSES)}")
    return CLASSES.index(name)


def _folders(source: Path, findings: list[str]) -> list[ClassFolder]:
    for root in roots(source):
        if 0 in part_folders(root):
            return class_folders(root, findings)
    hint = f"expected {Fer2013.expected};\n  give it with --data, or try the built-in drawings now: --dataset faces"
    raise DataError(f"no FER2013 images found in {source}: it holds {contents_of(source)}", hint)


def _read_folders(source: Path, options: Mapping[str, Value]) -> Raw:
    import numpy as np

    from fersearch.data.images import decode_all

    findings: list[str] = []
    folders = _folders(source, findings)
    paths = [image for folder in folders for image in folder.images]
    parts = _parts(folders, findings)
    labels = [_class_index(folder.label, str(folder.path)) for folder in folders for _ in folder.images]
    columns: dict[str, Any] = {
        "label": np.array(labels, np.int64),
        "split": np.array(parts, np.int8),
        "name": np.array([str(path.relative_to(source)) for path in paths], str),
    }
    images = decode_all(paths, int(options["image_size"]), int(options["channels"]), findings)
    return Raw(len(paths), images, columns, CLASSES, findings)


def _parts(folders: Sequence[ClassFolder], findings: list[str]) -> list[int]:
    """Return the part of every image: by the prefix of its name where no valid folder contradicts it, else by its
    folder."""
    by_folder = [folder.part for folder in folders for _ in folder.images]
    names = [image.name for folder in folders for image in folder.images]
    by_name = [next((part for prefix, part in PREFIXES.items() if name.startswith(prefix)), None) for name in names]
    official = [part for part in by_name if part is not None]
    agree = len(official) == len(names) and {0, 1, 2} <= set(official)
    if agree and (1 not in by_folder or official == by_folder):
        findings += _unexpected(official)
        return official
    if 1 in by_folder:
        if {folder.path.parent.name.lower() for folder in folders} >= PUBLISHED:
            findings += _unexpected([max(part, 0) for part in by_folder])
        else:
            findings.append(
                "a mirror with train and validation folders: NOT the official split, so not comparable with it"
            )
        return by_folder
    if len(official) == len(names):
        findings.append("no image is named PublicTest_ or none PrivateTest_: valid is drawn from train")
    else:
        findings.append(
            "file names without Training_, PublicTest_, PrivateTest_: test is both together, valid is drawn from train"
        )
    return by_folder


def _unexpected(parts: Sequence[int]) -> list[str]:
    counts = Counter(parts)
    return [
        f"expected {OFFICIAL[part]:,} {name} images, found {counts[part]:,}"
        for part, name in enumerate(PARTS)
        if counts[part] != OFFICIAL[part]
    ]


@hookimpl
def register_datasets(register: Any) -> None:
    """Register FER2013."""
    register(Fer2013())
