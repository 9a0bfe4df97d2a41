"""Any images listed in a CSV: image, label and, where known, split and subject."""

from collections import Counter
from collections.abc import Mapping, Sequence
from os.path import isfile, normpath
from pathlib import Path
from typing import Any

from fersearch import DataError, Dataset, Labels, Raw, hookimpl
from fersearch.data.csvfile import MISSING, TO_DRAW, Row, parts_of_rows, rows, unslashed
from fersearch.data.folders import single
from fersearch.data.labels import lookalikes, one_spelling, spelling
from fersearch.space import Value

UNKNOWN = MISSING - {"NA"}  # for a person, whose initials may be NA


class Manifest(Dataset):
    """A CSV of images with paths relative to it; labels are the classes, as they are written, sorted.

    `split` is train, valid or test, in any of their usual names, and so is a column such as `Usage` or `set` in its
    place; rows without one are drawn. `subject` keeps the images of a person together. Labels that differ in case,
    Unicode form or blanks alone are one class.
    """

    name = "manifest"
    version = 2
    summary = "a CSV with columns image and label, optionally split and subject; paths are relative to it"
    licence = "Your own images: check their licence yourself."
    named_by_path = True
    expected = "a CSV file with the columns image,label and optionally split,subject"

    def files(self, source: Path) -> Sequence[Path]:
        table = single(source, ".csv", self.expected)
        return [table, *(table.parent / row["image"] for row in _rows(table)[0])]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        import numpy as np

        from fersearch.data.images import decode_all

        table = single(source, ".csv", self.expected)
        listed, findings = _rows(table)
        parts = parts_of_rows(listed)
        class_of, class_names = _classes(listed, parts, findings)
        columns: dict[str, Any] = {
            "label": np.array([class_names.index(class_of[row["label"]]) for row in listed], np.int64),
            "split": np.array(parts, np.int8),
            "subject": np.array([_subject(row) for row in listed], str),
            "name": np.array([row["image"] for row in listed], str),
        }
        findings += _unsplit(parts)
        paths = [table.parent / row["image"] for row in listed]
        images = decode_all(paths, int(options["image_size"]), int(options["channels"]), findings)
        return Raw(len(listed), images, columns, class_names, findings)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], columns["split"], subject=columns["subject"])


def _rows(table: Path) -> tuple[list[Row], list[str]]:
    """Return the rows, each image once, and findings on repeated ones."""
    listed = list(rows(table, ["image", "label"], ["subject"], split="split"))
    if not listed:
        raise DataError(f"{table} lists no images", "add a row for each image below the header")
    first: dict[str, Row] = {}
    again = []
    for row in listed:
        row.required("label")
        path = normpath(row.required("image"))
        if path in first:
            again.append(_same(first[path], row))
        elif not isfile(table.parent / path):
            raise _missing(table, row)
        first.setdefault(path, row)
    findings = [f"{len(again):,} images are listed more than once: {', '.join(again[:4])}"] if again else []
    return list(first.values()), findings


def _same(first: Row, again: Row) -> str:
    """Return the name of an image that is listed twice; DataError where the two rows contradict each other."""
    for column in ("label", "split", "subject"):
        if spelling(first.get(column)) != spelling(again.get(column)):
            one, other = (f"{column} '{row.get(column)}'" for row in (first, again))
            raise DataError(
                f"{again.where}: image {again['image']} has {other}, on line {first.line} {one}", "keep one of the rows"
            )
    return again["image"]


def _missing(table: Path, row: Row) -> DataError:
    if unslashed(table.parent, row["image"]):
        return DataError(
            f"{row.where}: image {row['image']} is written with backslashes", "write paths with /, as in img/1.png"
        )
    return DataError(f"{row.where}: no file {row['image']} in {table.parent}", "paths are relative to the CSV")


def _classes(
    listed: Sequence[Row], parts: Sequence[int], findings: list[str]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the class of each label, and the classes."""
    counts = Counter({row["label"]: 0 for row in listed})
    counts.update(row["label"] for row, part in zip(listed, parts, strict=True) if part in (0, TO_DRAW))
    class_of, spelling_findings = one_spelling(counts)
    class_names = tuple(sorted(set(class_of.values())))
    findings += spelling_findings + lookalikes(class_names)
    return class_of, class_names


def _subject(row: Row) -> str:
    return "" if row.get("subject") in UNKNOWN else row.get("subject")


def _unsplit(parts: Sequence[int]) -> list[str]:
    blank = parts.count(TO_DRAW)
    if not blank or blank == len(parts):
        return []
    return [f"{blank:,} rows have no split; they go to train and to the parts that no row names"]


@hookimpl
def register_datasets(register: Any) -> None:
    """Register images listed in a CSV."""
    register(Manifest())
