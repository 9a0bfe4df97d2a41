"""Writes out what a study would see of a dataset: a manifest CSV, alone or with its images as renamed PNG files.

The columns are those of the `manifest` dataset (image, label, split, subject) and `source`, the dataset that an image
came from. A folder is written under a temporary name and renamed when complete.
"""

import csv
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fersearch.components import Dataset
from fersearch.data.folders import PARTS, entries, subfolders
from fersearch.data.prepared import Prepared, map_array
from fersearch.data.views import load, view
from fersearch.errors import FersearchError
from fersearch.files import atomic_folder, atomic_path, refuse_existing_file, refuse_existing_folder
from fersearch.space import Value
from fersearch.study import Protocol

Progress = Callable[[int, int], None]
COLUMNS = ("image", "label", "split", "source", "subject")
TABLE = "manifest.csv"
IMAGES = "images"


@dataclass(frozen=True)
class Face:
    """One image that a study sees: its row among the prepared ones, its name and what is known of it."""

    row: int
    name: str
    label: str
    split: str
    source: str
    subject: str


def faces(dataset: Dataset, prepared: Prepared, params: Mapping[str, Value], limit: int | None = None) -> list[Face]:
    """Return every image of train, valid and test (where there is one), in the order of the prepared rows.

    Raises:
        DataError: the dataset leaves no image for train or valid.
    """
    loaded = load(dataset, prepared, params, limit=limit)
    folder = view(dataset, prepared, params, Protocol(), limit)
    split = {row: part for part in PARTS for row in map_array(folder / f"{part}.npy").tolist()}
    columns, classes = prepared.columns, loaded.task.class_names
    name, subject = columns.get("name"), columns.get("subject")
    return [
        Face(
            row,
            str(row) if name is None else str(name[row]),
            classes[loaded.hard[row]],
            split[row],
            dataset.name if loaded.source is None else str(loaded.source[row]),
            "" if subject is None else str(subject[row]),
        )
        for row in sorted(split)
    ]


def to_csv(path: Path, faces: Sequence[Face], source: Path | None, force: bool = False) -> None:
    """Write the CSV alone: images by their path from it, by their name where they are not files of their own.

    Raises:
        UsageError: the file exists, and `force` is not given.
        FersearchError: it cannot be written.
    """
    refuse_existing_file(path, force)
    top = _top(source, faces)
    with _explain_write_errors(path), atomic_path(path) as work:
        _write(work, faces, [_path(top, face.name, path.absolute().parent) for face in faces])


def to_folder(
    folder: Path, faces: Sequence[Face], prepared: Prepared, force: bool = False, progress: Progress | None = None
) -> None:
    """Write manifest.csv and images/<class>_<source>_<number>.png; the `manifest` dataset reads the folder again.

    Raises:
        UsageError: the folder exists, and `force` is not given or it is not an earlier export.
        FersearchError: it cannot be written; no partial export is left.
    """
    refuse_existing_folder(folder, force, "earlier export", _is_export)
    with _explain_write_errors(folder), atomic_folder(folder) as work:
        names = renamed(faces)
        (work / IMAGES).mkdir()
        for done, (face, name) in enumerate(zip(faces, names, strict=True), 1):
            _picture(prepared, face.row).save(work / IMAGES / name)
            if progress and (done % 64 == 0 or done == len(faces)):
                progress(done, len(faces))
        _write(work / TABLE, faces, [f"{IMAGES}/{name}" for name in names])


def renamed(faces: Sequence[Face]) -> list[str]:
    """Return the file name of each image: its class, its source and a number that counts within both."""
    stems = [f"{_safe(face.label)}_{_safe(face.source)}" for face in faces]
    width = max(4, len(str(max(Counter(stems).values(), default=0))))
    numbers: Counter[str] = Counter()
    names = []
    for stem in stems:
        numbers[stem] += 1
        names.append(f"{stem}_{numbers[stem]:0{width}d}.png")
    return names


def _safe(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).strip(".-") or "class"


def _picture(prepared: Prepared, row: int) -> Image.Image:
    pixels = np.asarray(prepared.images[row])
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _write(path: Path, faces: Sequence[Face], images: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for face, image in zip(faces, images, strict=True):
            writer.writerow((image, face.label, face.split, face.source, face.subject))


def _top(source: Path | None, faces: Sequence[Face]) -> Path | None:
    """Return the folder that the images' names start from; None if they are not files."""
    if source is None or not faces:
        return None
    folder = source if source.is_dir() else source.parent
    return next((top for top in (folder, *subfolders(folder)) if (top / faces[0].name).is_file()), None)


def _path(top: Path | None, name: str, start: Path) -> str:
    if top is None or not (top / name).is_file():
        return name
    return Path(os.path.relpath((top / name).absolute(), start)).as_posix()


def _is_export(folder: Path) -> bool:
    return {entry.name for entry in entries(folder)} == {TABLE, IMAGES}


@contextmanager
def _explain_write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise FersearchError(f"cannot write {path}: {error.strerror or error}", "choose another path with -o") from None
