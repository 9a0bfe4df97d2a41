"""AffectNet's two releases: a .npy file of annotations for each image, or tables of all images with face boxes."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from fersearch import DataError
from fersearch.data.csvfile import Row, rows
from fersearch.data.folders import contents_of, entries, roots
from fersearch.data.formats import is_image
from fersearch.data.labels import coded, whole_number
from fersearch_datasets._layout_readers import box_of
from fersearch_datasets._listed import Listing, Sample, absent, all_there

if TYPE_CHECKING:
    from fersearch.data.steps import Box
    from fersearch_datasets._layout import Layout

CLASS_NAMES = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
NO_CLASS = {"8": "none", "9": "uncertain", "10": "no face"}
CODES = {**{str(code): class_name for code, class_name in enumerate(CLASS_NAMES)}, **NO_CLASS}
SETS = ("train_set", "val_set")
TABLES = ("training.csv", "validation.csv")
IMAGES = ("Manually_Annotated_Images", "images", ".")
SIDES = ("face_x", "face_y", "face_width", "face_height")


def files(source: Path, layout: "Layout") -> list[Path]:
    """Return every image and annotation, none of them opened."""
    root = _sets(source, layout)
    if root is None:
        return read(source, layout).files()
    return [path for name in SETS for pair in _pairs(root / name) for path in pair]


def read(source: Path, layout: "Layout") -> Listing:
    """Return train and valid; there is no public test. Images of no class (none, uncertain, no face) are left out."""
    root = _sets(source, layout)
    if root is not None:
        listed = [
            (str(exp), _code(exp), Sample(image, "", part))
            for part, name in enumerate(SETS)
            for image, exp in _pairs(root / name)
        ]
        return _labelled(root, listed, [], _strays(root))
    for root in roots(source):
        tables = [root / name for name in TABLES]
        if all(table.is_file() for table in tables):
            return _from_tables(source, root, tables)
    raise absent(source, contents_of(source), "AffectNet", layout.expected)


def _sets(source: Path, layout: "Layout") -> Path | None:
    """Return the folder that holds train_set and val_set; None if there is neither."""
    for root in roots(source):
        expected = [f"{name}/{folder}" for name in SETS for folder in ("images", "annotations")]
        missing = [folder for folder in expected if not (root / folder).is_dir()]
        if not missing:
            return root
        if any((root / name).is_dir() for name in SETS):
            raise DataError(
                f"only a part of AffectNet is in {root}: {', '.join(missing)} missing", f"expected {layout.expected}"
            )
    return None


def _pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Return every image of a set with its annotation of the expression."""
    there = {entry.name for entry in entries(folder / "annotations")}
    images = [Path(entry.path) for entry in entries(folder / "images") if is_image(entry.name)]
    bare = [image for image in images if f"{image.stem}_exp.npy" not in there]
    if bare:
        raise DataError(
            f"{len(bare):,} of {len(images):,} images in {folder} have no annotation, the first is {bare[0].name}",
            f"expected {folder / 'annotations'}/{bare[0].stem}_exp.npy; restore it, or remove the image",
        )
    return [(image, folder / "annotations" / f"{image.stem}_exp.npy") for image in images]


def _code(path: Path) -> str:
    """Return the code in an annotation file, which holds one number, as a number or as text."""
    import numpy as np

    try:
        return str(int(np.load(path, allow_pickle=False).item()))
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"annotation {path} is corrupt: {error}", "restore the file from the archive") from None


def _strays(root: Path) -> list[str]:
    """Return a finding on annotations without an image."""
    findings = []
    for name in SETS:
        stems = {Path(entry.name).stem for entry in entries(root / name / "images")}
        exp = [entry.name for entry in entries(root / name / "annotations") if entry.name.endswith("_exp.npy")]
        alone = [file for file in exp if file.removesuffix("_exp.npy") not in stems]
        if alone:
            findings.append(f"{len(alone):,} annotations in {name} have no image: {', '.join(alone[:3])}")
    return findings


def _from_tables(source: Path, root: Path, tables: list[Path]) -> Listing:
    columns = ["subdirectory_filepath", "expression"]
    listed = [(part, row) for part, table in enumerate(tables) for row in rows(table, columns, SIDES)]
    folders = [top / name for top in dict.fromkeys((root, source)) for name in IMAGES]
    first = next((row["subdirectory_filepath"] for _, row in listed if not _no_class(row)), "")
    folder = next((place for place in folders if (place / first).is_file()), folders[0])
    samples = [
        (row.where, row["expression"], Sample(folder / row["subdirectory_filepath"], "", part, box=_box(row)))
        for part, row in listed
    ]
    listing = _labelled(root if folder.is_relative_to(root) else source, samples, tables, [])
    all_there([sample.path for sample in listing.samples], tables[0].parent / "training.csv or validation.csv")
    return listing


def _no_class(row: Row) -> bool:
    return (whole_number(row["expression"]) or row["expression"]) in NO_CLASS


def _box(row: Row) -> "Box | None":
    """Return the box of the face in the photo; None where the table has none."""
    if not all(row.get(side) for side in SIDES) or _no_class(row):
        return None
    return box_of(row.where, [row[side] for side in SIDES], sized=True)


def _labelled(root: Path, listed: list[tuple[str, str, Sample]], tables: list[Path], findings: list[str]) -> Listing:
    """Return the samples that belong to a class, with their canonical labels."""
    samples: list[Sample] = []
    dropped: Counter[str] = Counter()
    for where, code, sample in listed:
        class_name = coded(code, CODES, where)
        if class_name in NO_CLASS.values():
            dropped[class_name] += 1
        else:
            samples.append(Sample(sample.path, class_name, sample.part, box=sample.box))
    if dropped:
        counts = ", ".join(f"{n:,} {class_name}" for class_name, n in dropped.items())
        findings = [*findings, f"{dropped.total():,} images of no class were left out: {counts}"]
    return Listing(root, samples, tables, findings)
