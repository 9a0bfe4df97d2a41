"""Readers that several layouts could share: class folders, characters' folders, lists with boxes, tables of labels."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch import DataError
from fersearch.data.class_folders import class_folders, part_folders
from fersearch.data.csvfile import parts_of_rows, rows
from fersearch.data.folders import contents_of, entries, roots, subfolders
from fersearch.data.formats import is_image
from fersearch.data.labels import check_base, coded, known
from fersearch.data.textfile import lines
from fersearch_datasets._fer2013_codes import FER2013
from fersearch_datasets._listed import Listing, Sample, absent, all_there, class_of, from_folders

if TYPE_CHECKING:
    from fersearch.data.steps import Box
    from fersearch_datasets._layout import Layout

EXPW_CODES = {str(code): class_name for code, class_name in enumerate(FER2013)}


def class_tree(source: Path, layout: "Layout") -> Listing:
    """Return one folder per class, below train and test folders or not."""
    for root in roots(source):
        if part_folders(root) or sum(known(folder.name) is not None for folder in subfolders(root)) > 1:
            findings: list[str] = []
            samples = from_folders(class_folders(root, findings), layout.classes, layout.name)
            return Listing(root, samples, [], findings)
    raise absent(source, contents_of(source), layout.name, layout.expected)


def characters(source: Path, layout: "Layout") -> Listing:
    """Read FERG-DB: a folder for each character with folders `<character>_<expression>`; the character is the
    subject."""
    for root in roots(source):
        folders = [
            (character.name, folder)
            for character in subfolders(root)
            for folder in subfolders(character)
            if folder.name.startswith(f"{character.name}_")
        ]
        if folders:
            return Listing(
                root, [sample for character, folder in folders for sample in _of_character(character, folder, layout)]
            )
    raise absent(source, contents_of(source), layout.name, layout.expected)


def _of_character(character: str, folder: Path, layout: "Layout") -> list[Sample]:
    class_name = class_of(folder.name.removeprefix(f"{character}_"), layout.classes, str(folder), layout.name)
    images = [Path(entry.path) for entry in entries(folder) if is_image(entry.name)]
    return [Sample(image, class_name, subject=character) for image in images]


def legend(source: Path, layout: "Layout") -> Listing:
    """Read muxspace: data/legend.csv with the columns image and emotion beside a folder images/."""
    for root in roots(source):
        table = next((root / name for name in ("data/legend.csv", "legend.csv") if (root / name).is_file()), None)
        if table is not None:
            listed = list(rows(table, ["image", "emotion"], split="split"))
            folder = _holding(
                table, [root / "images", root / "data" / "images", root], [row["image"] for row in listed]
            )
            samples = [
                Sample(folder / row.required("image"), class_name, part)
                for row, part in zip(listed, parts_of_rows(listed), strict=True)
                for class_name in [class_of(row.required("emotion"), layout.classes, row.where, layout.name)]
            ]
            listing = _listing(root, samples, table, folder)
            listing.findings += _repeated(samples)
            return listing
    raise absent(source, contents_of(source), layout.name, layout.expected)


def _repeated(samples: Sequence[Sample]) -> list[str]:
    """Return a finding on images that are listed more than once, with the number of those with two labels."""
    labels_of: dict[Path, list[str]] = {}
    for sample in samples:
        labels_of.setdefault(sample.path, []).append(sample.class_name)
    repeated = [path.name for path, labels in labels_of.items() if len(labels) > 1]
    conflicting = [path.name for path, labels in labels_of.items() if len(set(labels)) > 1]
    if not repeated:
        return []
    text = f"{len(repeated):,} images are listed more than once, {len(conflicting):,} of them with two labels"
    return [f"{text}: {', '.join((conflicting or repeated)[:3])}"]


def boxes(source: Path, layout: "Layout") -> Listing:
    """Read ExpW: label.lst, a face a line: photo, face, top, left, right, bottom, confidence, code; the photo is the
    group.

    Faces of one photo stay together in a drawn split.
    """
    places = ("label.lst", "label/label.lst")
    for root in roots(source):
        table = next((root / name for name in places if (root / name).is_file()), None)
        if table is not None:
            listed = [(number, line.rsplit(maxsplit=7)) for number, line in lines(table)]
            folders = [root / name for name in ("image", "image/origin", "origin", "images", ".")]
            folder = _holding(table, folders, [cells[0] for _, cells in listed])
            doubts = check_base([(f"{table} line {k}", cells[-1]) for k, cells in listed], EXPW_CODES)
            samples = [_boxed(f"{table} line {number}", cells, folder) for number, cells in listed]
            listing = _listing(root, samples, table, folder)
            listing.findings += doubts
            return listing
    raise absent(source, contents_of(source), layout.name, layout.expected)


def _boxed(where: str, cells: Sequence[str], folder: Path) -> Sample:
    if len(cells) != 8:
        raise DataError(
            f"{where}: {len(cells)} columns, expected 8", "image face top left right bottom confidence code"
        )
    name, _, top, left, right, bottom, _, code = cells
    box = box_of(where, (left, top, right, bottom))
    return Sample(folder / name, coded(code, EXPW_CODES, where), subject=name, box=box)


def box_of(where: str, sides: Sequence[str], sized: bool = False) -> "Box":
    """Return left, top, right and bottom in whole pixels; the last two are given as width and height if `sized`.

    Raises:
        DataError: they are not numbers, or the box holds no pixel.
    """
    try:
        left, top, right, bottom = (int(float(side)) for side in sides)
    except (ValueError, OverflowError):
        raise DataError(f"{where}: box {','.join(sides)} is not four numbers", "restore the row") from None
    if sized:
        right, bottom = left + right, top + bottom
    if left >= right or top >= bottom:
        raise DataError(f"{where}: box {','.join(sides)} is empty", "left < right and top < bottom, in pixels")
    return left, top, right, bottom


def _holding(table: Path, folders: Sequence[Path], names: Sequence[str]) -> Path:
    """Return the folder that holds the first listed image, else the first one that exists."""
    if not names:
        raise DataError(f"{table} lists no images", "restore the file from the archive")
    there = [folder for folder in folders if folder.is_dir()]
    return next((folder for folder in there if (folder / names[0]).is_file()), (there or folders)[0])


def _listing(root: Path, samples: list[Sample], table: Path, folder: Path) -> Listing:
    all_there([sample.path for sample in samples], table)
    named = {sample.path.name for sample in samples}
    extra = [entry.name for entry in entries(folder) if entry.name not in named and entry.is_file()]
    extra = [name for name in extra if folder / name != table]
    findings = [f"{len(extra):,} files in {folder} are not in {table.name}: {', '.join(extra[:3])}"] if extra else []
    return Listing(root, samples, [table], findings)
