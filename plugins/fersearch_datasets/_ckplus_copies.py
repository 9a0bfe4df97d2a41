"""Redistributed forms of CK+: CK+48, faces in class folders, and ckextended.csv, one face a row.

CK+48 has no neutral class, and its names keep person and sequence. ckextended.csv has neutral first frames, but
no persons.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fersearch import DataError, Raw
from fersearch.data.class_folders import ClassFolder
from fersearch.data.csvfile import Row, rows
from fersearch.data.images import decode_all
from fersearch.data.labels import EMOTIONS, canonical, check_base
from fersearch.space import Value
from fersearch_datasets import _class_tree as class_tree
from fersearch_datasets import _fer2013_csv as fer2013_csv
from fersearch_datasets import _sanity as sanity
from fersearch_datasets._ckplus_texts import LABELLED, PER_CLASS

NAME = re.compile(r"(S\d{3})_(\d{3})_(\d{8})", re.IGNORECASE)
FRAMES, LABELLED_SUBJECTS, TABLE_ROWS = 981, 118, 920
TABLE_CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt")
TABLE_CODES = {str(code): class_name for code, class_name in enumerate(TABLE_CLASSES)}
TABLE_PER_CLASS = {**PER_CLASS, "neutral": 593}
LOST = (
    "this table does not name persons: frames of one person may be in train and in valid or test; "
    "use the original or CK+48 to keep persons apart"
)


@dataclass(frozen=True)
class ClassFolders:
    """CK+48 and its like: the last three frames of each labelled sequence in a folder per class."""

    source: Path
    expected: str

    def files(self) -> list[Path]:
        """Return every image of the class folders."""
        return [image for folder in self._folders([]) for image in folder.images]

    def read(self, options: Mapping[str, Value]) -> Raw:
        """Return the images folder by folder; a class without a folder is left out."""
        findings: list[str] = []
        folders = self._folders(findings)
        class_of = class_tree.labels(folders, EMOTIONS, "CK+")
        names = tuple(name for name in EMOTIONS if name in class_of.values() or name in PER_CLASS)
        paths = [image for folder in folders for image in folder.images]
        labels = [class_of[folder.path] for folder in folders for _ in folder.images]
        people = _people(paths)
        columns: dict[str, Any] = {
            "label": np.array([names.index(label) for label in labels], np.int64),
            "split": np.array([folder.part for folder in folders for _ in folder.images], np.int8),
            **people,
            "name": np.array([str(path.relative_to(self.source)) for path in paths], str),
        }
        findings += _nameless(paths) + _unexpected(labels, people)
        images = decode_all(paths, int(options["image_size"]), int(options["channels"]), findings)
        return Raw(len(paths), images, columns, names, findings)

    def _folders(self, findings: list[str]) -> list[ClassFolder]:
        return class_tree.find(self.source, "CK+", self.expected, findings)[1]


@dataclass(frozen=True)
class Table:
    """ckextended.csv: columns emotion, pixels and Usage, 48x48 grey values as text."""

    path: Path

    def files(self) -> list[Path]:
        """Return the file."""
        return [self.path]

    def read(self, options: Mapping[str, Value]) -> Raw:
        """Return every row in the order of the file."""
        listed = list(rows(self.path, ["emotion", "pixels"], split=fer2013_csv.SPLIT))
        doubts = check_base([(row.where, row["emotion"]) for row in listed], TABLE_CODES)
        labels = [table_emotion(row) for row in listed]
        columns: dict[str, Any] = {
            "label": np.array([EMOTIONS.index(label) for label in labels], np.int64),
            "split": np.array([fer2013_csv.part(row) for row in listed], np.int8),
            "from_end": np.zeros(len(listed), np.int8),
            "name": np.array([f"row-{k:05d}" for k in range(len(listed))], str),
        }
        findings = [LOST, *doubts, *sanity.counted("rows", TABLE_ROWS, len(listed))]
        findings += sanity.per_class("rows per class", TABLE_PER_CLASS, labels)
        size, channels = int(options["image_size"]), int(options["channels"])
        images = fer2013_csv.faces(self.path, [True] * len(listed), size, channels)
        return Raw(len(listed), images, columns, EMOTIONS, findings)


def table_emotion(row: Row) -> str:
    """Return the emotion of a row of ckextended.csv, from its code 0..7 or from a name.

    Raises:
        DataError: there is no such code, or no such class in CK+.
    """
    text = row.required("emotion")
    name = canonical(text, row.where, EMOTIONS, TABLE_CODES)
    if name not in EMOTIONS:
        raise DataError(f"{row.where}: '{text}' is not a class of CK+", f"its classes: {', '.join(EMOTIONS)}")
    return name


def _people(paths: Sequence[Path]) -> dict[str, Any]:
    """Return subject, sequence and position from the end of the sequence, from names such as S056_003_00000009."""
    matches = [NAME.match(path.stem) for path in paths]
    sequences = [f"{m[1]}_{m[2]}".upper() if m else "" for m in matches]
    members: dict[str, list[int]] = defaultdict(list)
    for k, sequence in enumerate(sequences):
        members[sequence].append(k)
    from_end = np.zeros(len(paths), np.int8)
    for sequence, frames in members.items():
        if sequence:
            latest = sorted(frames, key=lambda k: paths[k].stem, reverse=True)
            from_end[latest] = np.minimum(np.arange(len(latest)), 127)
    return {
        "subject": np.array([sequence[:4] for sequence in sequences], str),
        "sequence": np.array(sequences, str),
        "from_end": from_end,
    }


def _nameless(paths: Sequence[Path]) -> list[str]:
    names = [path.name for path in paths if not NAME.match(path.stem)]
    if not names:
        return []
    return [
        f"{len(names):,} images are not named like S056_003_00000009.png: no person is known: {sanity.listed(names)}"
    ]


def _unexpected(labels: Sequence[str], people: Mapping[str, Any]) -> list[str]:
    thrice = {name: 3 * n for name, n in PER_CLASS.items()}
    return [
        *sanity.counted("images", FRAMES, len(labels)),
        *sanity.per_class("images per class", thrice, labels),
        *sanity.counted("persons", LABELLED_SUBJECTS, len(set(people["subject"].tolist()) - {""})),
        *sanity.counted("sequences", LABELLED, len(set(people["sequence"].tolist()) - {""})),
    ]
