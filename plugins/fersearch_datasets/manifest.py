"""Any images listed in a CSV: image, label and, where known, split and subject."""

from collections import Counter
from collections.abc import Mapping, Sequence
from os.path import isfile
from pathlib import Path
from typing import Any

from fersearch import DataError, Dataset, Labels, Raw, hookimpl
from fersearch.data.folders import PARTS, part_of, single
from fersearch.data.labels import lookalikes
from fersearch.data.tables import Row, rows
from fersearch.errors import suggestion
from fersearch.space import Value


class Manifest(Dataset):
    """A CSV of images with paths relative to it; labels are the classes, as they are written, sorted.

    `split` is train, valid or test; rows without one are drawn. `subject` keeps the images of a person together.
    """

    name = "manifest"
    summary = "a CSV with columns image and label, optionally split and subject; paths are relative to it"
    licence = "Your own images: their licence is yours to know."
    expected = "a CSV file with the columns image,label and optionally split,subject"

    def files(self, source: Path) -> Sequence[Path]:
        table = single(source, ".csv", self.expected)
        return [table, *(table.parent / row["image"] for row in _rows(table))]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        import numpy as np

        from fersearch.data.images import decode_all

        table = single(source, ".csv", self.expected)
        listed = _rows(table)
        class_names = tuple(sorted({row["label"] for row in listed}))
        columns: dict[str, Any] = {
            "label": np.array([class_names.index(row["label"]) for row in listed], np.int64),
            "split": np.array([_part(row) for row in listed], np.int8),
            "subject": np.array([row.get("subject") for row in listed], str),
            "name": np.array([row["image"] for row in listed], str),
        }
        findings = lookalikes(class_names) + _repeated(listed) + _unsplit(columns["split"].tolist())
        paths = [table.parent / row["image"] for row in listed]
        images = decode_all(paths, int(options["image_size"]), int(options["channels"]), findings)
        return Raw(len(listed), images, columns, class_names, findings)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], columns["split"], subject=columns["subject"])


def _rows(table: Path) -> list[Row]:
    listed = list(rows(table, ["image", "label"], ["split", "subject"]))
    if not listed:
        raise DataError(f"{table} lists no images", "add a row for each image below the header")
    for row in listed:
        for column in ("image", "label"):
            if not row[column]:
                raise DataError(f"{row.where}: {column} is blank", "fill it in, or remove the row")
        if not isfile(table.parent / row["image"]):
            raise DataError(f"{row.where}: no file {row['image']} in {table.parent}", "paths are relative to the CSV")
    return listed


def _part(row: Row) -> int:
    text = row.get("split")
    part = part_of(text) if text else -2
    if part is None:
        raise DataError(f"{row.where}: unknown split '{text}'", suggestion(text, PARTS))
    return part


def _repeated(listed: Sequence[Row]) -> list[str]:
    counts = Counter(row["image"] for row in listed)
    repeated = [name for name, n in counts.items() if n > 1]
    return [f"{len(repeated):,} images are listed more than once: {', '.join(repeated[:4])}"] if repeated else []


def _unsplit(parts: Sequence[int]) -> list[str]:
    blank = parts.count(-2)
    if not blank or blank == len(parts):
        return []
    return [f"{blank:,} rows have no split; they go to train and to the parts that no row names"]


@hookimpl
def register_datasets(register: Any) -> None:
    """Bring images listed in a CSV."""
    register(Manifest())
