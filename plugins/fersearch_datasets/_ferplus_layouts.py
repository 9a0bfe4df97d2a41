"""Where FER+ keeps pixels and votes: folders of PNG files with label.csv, or fer2013.csv beside fer2013new.csv."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fersearch import DataError, Raw
from fersearch.data.csvfile import Row, raw_rows, rows
from fersearch.data.folders import contents_of, entries, roots
from fersearch.data.images import decode_all
from fersearch.data.labels import EMOTIONS, NOT_CLASSES
from fersearch.space import Value
from fersearch_datasets import _fer2013_csv as fer2013_csv

FERPLUS = (*EMOTIONS, *NOT_CLASSES)

PARTS = ("train", "valid", "test")
FOLDERS = ("FER2013Train", "FER2013Valid", "FER2013Test")
LABELLED = (28_558, 3_579, 3_573)
NAMED_ROWS = (28_561, 3_579, 3_574)
VOTE_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "nf")


@dataclass(frozen=True)
class Labelled:
    """One labelled image: its name, its part of the split and its ten votes."""

    name: str
    part: int
    votes: tuple[int, ...]


@dataclass(frozen=True)
class Folders:
    """The layout of microsoft/FERPlus once its images are generated; label.csv has no header."""

    root: Path

    def files(self) -> list[Path]:
        """Return every label.csv and every image that one of them names."""
        tables = [self.root / folder / "label.csv" for folder in FOLDERS]
        return tables + self._paths(list(self._labelled()))

    def read(self, options: Mapping[str, Value]) -> Raw:
        """Return the labelled images in the order of the label.csv files."""
        labelled = list(self._labelled())
        findings = _unexpected(labelled, LABELLED) + _repeated(labelled) + self._extra(labelled)
        images = decode_all(self._paths(labelled), int(options["image_size"]), int(options["channels"]), findings)
        return Raw(len(labelled), images, _columns(labelled), FERPLUS, findings)

    def _labelled(self) -> Iterator[Labelled]:
        for part, folder in enumerate(FOLDERS):
            path = self.root / folder / "label.csv"
            for line, cells in raw_rows(path):
                if len(cells) != 2 + len(VOTE_COLUMNS):
                    raise DataError(
                        f"{path} line {line}: {len(cells)} columns, expected 12",
                        "image name, box and ten votes, no header",
                    )
                yield Labelled(cells[0].strip(), part, _votes(f"{path} line {line}", cells[2:]))

    def _paths(self, labelled: Sequence[Labelled]) -> list[Path]:
        there = [{entry.name for entry in entries(self.root / folder)} for folder in FOLDERS]
        missing = [image for image in labelled if image.name not in there[image.part]]
        if missing:
            first = self.root / FOLDERS[missing[0].part] / missing[0].name
            raise DataError(
                f"{len(missing):,} of {len(labelled):,} images that label.csv names are missing, the first is {first}",
                "make them with FERPlus' generate_training_data.py, or put fer2013.csv and fer2013new.csv here",
            )
        folders = [f"{self.root / folder}/" for folder in FOLDERS]
        return [Path(folders[image.part] + image.name) for image in labelled]

    def _extra(self, labelled: Sequence[Labelled]) -> list[str]:
        named = [{image.name for image in labelled if image.part == part} | {"label.csv"} for part in range(3)]
        extra = [len({e.name for e in entries(self.root / f)} - named[part]) for part, f in enumerate(FOLDERS)]
        return [f"{n:,} files in {FOLDERS[part]} are not in its label.csv" for part, n in enumerate(extra) if n]


@dataclass(frozen=True)
class Tables:
    """Pixels of fer2013.csv joined with the votes of fer2013new.csv by the order of their rows.

    A row without an image name is not a face and is left out. The number in an image's name is not its row.
    """

    pixels: Path
    votes: Path

    def files(self) -> list[Path]:
        """Return the two files."""
        return [self.pixels, self.votes]

    def read(self, options: Mapping[str, Value]) -> Raw:
        """Return the named rows in the order of the files."""
        voted = list(rows(self.votes, ["usage", "image name", *VOTE_COLUMNS]))
        self._check_aligned(voted)
        keep = [bool(row["image name"]) for row in voted]
        labelled = [_row_labelled(row) for row in voted if row["image name"]]
        findings = [
            "votes come from fer2013new.csv, where duplicate images have equal votes; "
            "published counts come from the label.csv files and differ slightly",
            f"{keep.count(False):,} rows without an image name (no face) were left out",
            *_unexpected(labelled, NAMED_ROWS),
            *_repeated(labelled),
        ]
        images = fer2013_csv.faces(self.pixels, keep, int(options["image_size"]), int(options["channels"]))
        return Raw(len(labelled), images, _columns(labelled), FERPLUS, findings)

    def _check_aligned(self, voted: Sequence[Row]) -> None:
        usages = [row["usage"].lower() for row in rows(self.pixels, ["pixels", "usage"])]
        hint = "the two files are joined row by row: use both as they were published"
        if len(usages) != len(voted):
            raise DataError(f"{self.pixels} has {len(usages):,} rows and {self.votes} has {len(voted):,}", hint)
        for row, usage in zip(voted, usages, strict=True):
            if row["usage"].lower() != usage:
                raise DataError(f"{row.where}: Usage '{row['usage']}' where {self.pixels.name} has '{usage}'", hint)


def find(source: Path, expected: str) -> Folders | Tables:
    """Recognise the layout of a folder, or of a folder in it.

    Raises:
        DataError: there is none, or it is incomplete; the message lists the files found.
    """
    places = list(roots(source))
    whole = [Folders(root) for root in places if len(_present(root)) == len(FOLDERS)]
    tables = [table for root in places if (table := _tables(root))]
    with_images = [layout for layout in whole if _has_images(layout.root)]
    layouts: list[Folders | Tables] = [*with_images, *tables, *whole]
    if layouts:
        return layouts[0]
    raise _missing(source, places, expected)


def _present(root: Path) -> list[str]:
    return [folder for folder in FOLDERS if (root / folder / "label.csv").is_file()]


def _has_images(root: Path) -> bool:
    return any(entry.name.lower().endswith(".png") for entry in entries(root / FOLDERS[0]))


def _tables(root: Path) -> Tables | None:
    pixels = fer2013_csv.find(root, ("fer2013.csv", "icml_face_data.csv"))
    votes = root / "fer2013new.csv"
    return Tables(pixels, votes) if pixels and votes.is_file() else None


def _missing(source: Path, places: Sequence[Path], expected: str) -> DataError:
    hint = f"expected {expected};\n  give the folder with --data, or try the built-in drawings now: --dataset faces"
    for root in places:
        lacking = [f"{folder}/label.csv" for folder in FOLDERS if folder not in _present(root)]
        if len(lacking) < len(FOLDERS) or any((root / folder).is_dir() for folder in FOLDERS):
            return DataError(f"only a part of FER+ is in {root}: {', '.join(lacking)} missing", hint)
        for name in ("fer2013.csv", "icml_face_data.csv", "fer2013new.csv"):
            if (root / name).is_file():
                other = "fer2013.csv" if name == "fer2013new.csv" else "fer2013new.csv"
                return DataError(f"only a part of FER+ is in {root}: {name} without {other}", hint)
    return DataError(f"no FER+ images found in {source}: it holds {contents_of(source)}", hint)


def _row_labelled(row: Row) -> Labelled:
    return Labelled(row["image name"], fer2013_csv.part(row), _votes(row.where, [row[name] for name in VOTE_COLUMNS]))


def _votes(where: str, texts: Sequence[str]) -> tuple[int, ...]:
    try:
        votes = tuple(int(text) for text in texts)
        if all(0 <= vote <= 255 for vote in votes):
            return votes
    except ValueError:
        pass
    raise DataError(f"{where}: votes must be whole numbers from 0, not {','.join(texts)}", "restore the row")


def _columns(labelled: Sequence[Labelled]) -> dict[str, Any]:
    return {
        "votes": np.array([image.votes for image in labelled], np.uint8).reshape(-1, len(VOTE_COLUMNS)),
        "split": np.array([image.part for image in labelled], np.int8),
        "name": np.array([image.name for image in labelled], str),
    }


def _unexpected(labelled: Sequence[Labelled], expected: Sequence[int]) -> list[str]:
    counts = Counter(image.part for image in labelled)
    return [
        f"expected {expected[part]:,} labelled {name} images, found {counts[part]:,}"
        for part, name in enumerate(PARTS)
        if counts[part] != expected[part]
    ]


def _repeated(labelled: Sequence[Labelled]) -> list[str]:
    names = Counter(image.name for image in labelled)
    repeated = sorted(name for name, n in names.items() if n > 1)
    return [f"{len(repeated):,} image names occur more than once: {', '.join(repeated[:4])}"] if repeated else []
