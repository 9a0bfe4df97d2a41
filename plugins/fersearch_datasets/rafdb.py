"""RAF-DB, basic set: 15,339 faces from the web in seven classes, as published or as its Kaggle mirror.

Li, Deng and Du, "Reliable Crowdsourcing and Deep Locality-Preserving Learning for Expression Recognition in the
Wild", CVPR 2017. The split is the published one; it has no valid, which is drawn from train.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fersearch import Choice, DataError, Dataset, Labels, Raw, hookimpl
from fersearch.data.folders import ClassFolder, class_folders, entries, held, part_folders, roots, subfolders
from fersearch.data.labels import EMOTIONS, coded
from fersearch.space import Value
from fersearch_datasets._listed import TO_DRAW, Listing, Sample, absent, all_there, raw

CLASSES = EMOTIONS[:7]
CODES = dict(zip("1234567", ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), strict=True))
FIGURES = {
    "train": dict(zip(CODES.values(), (1290, 281, 717, 4772, 1982, 705, 2524), strict=True)),
    "test": dict(zip(CODES.values(), (329, 74, 160, 1185, 478, 162, 680), strict=True)),
}
LIST = Path("EmoLabel", "list_patition_label.txt")  # spelt so in the archive
LINE = re.compile(r"((train|test)_\S+\.\w+)\s+(\S+)")
PARTS = {"train": TO_DRAW, "test": 2}
COLUMNS = ("image", "label")
IMAGES = ("aligned", "original")


class RafDb(Dataset):
    """RAF-DB's basic set: `images` aligned (100x100 faces) or original (whole photos, in the published form alone)."""

    name = "rafdb"
    summary = "RAF-DB basic: 15,339 RGB 100x100 faces from the web, seven classes"
    licence = "RAF-DB: non-commercial research, on request from its authors."
    expected = (
        "basic/EmoLabel/list_patition_label.txt with basic/Image/aligned/, "
        "or DATASET/train/1..7/ and DATASET/test/1..7/"
    )
    decoding = {**Dataset.decoding, "images": Choice(*IMAGES, search="aligned")}

    def files(self, source: Path) -> Sequence[Path]:
        table = _list(source)
        if table is None:
            return _mirror(source).files()
        there = [images for images in IMAGES if (table.parent.parent / "Image" / images).is_dir()]
        others = [entry for images in there[1:] for entry in entries(table.parent.parent / "Image" / images)]
        whole = _published(table, there[0] if there else IMAGES[0])
        return [*whole.files(), *(Path(entry.path) for entry in others if entry.is_file())]

    def read(self, source: Path, options: Mapping[str, Value]) -> Raw:
        table = _list(source)
        if table is not None:
            return raw(_published(table, str(options["images"])), CLASSES, options, FIGURES)
        if options["images"] != "aligned":
            raise DataError(
                f"{source} is the Kaggle mirror, which has no original images",
                "choose images = aligned, or give the published basic/ folder",
            )
        return raw(_mirror(source), CLASSES, options, FIGURES)

    def label(self, columns: Mapping[str, Any], class_names: Sequence[str], params: Mapping[str, Value]) -> Labels:
        return Labels(tuple(class_names), columns["label"], columns["split"])


def _list(source: Path) -> Path | None:
    """The published list of labels, where this is the published form."""
    places = list(roots(source))
    found = next((root / LIST for root in places if (root / LIST).is_file()), None)
    half = next((root for root in places if (root / "Image").is_dir()), None)
    if found is None and half is not None:
        raise DataError(f"only a part of RAF-DB is in {half}: {LIST} missing", f"expected {RafDb.expected}")
    return found


def _published(table: Path, images: str) -> Listing:
    folder = table.parent.parent / "Image" / images
    if not folder.is_dir():
        raise DataError(
            f"only a part of RAF-DB is in {table.parent.parent}: no folder Image/{images}",
            "unpack Image/, or choose the other one with --option images=",
        )
    samples = [_sample(table, number, line, folder, images) for number, line in _lines(table)]
    all_there([sample.path for sample in samples], table)
    named = {sample.path.name for sample in samples}
    extra = [entry.name for entry in entries(folder) if entry.name not in named]
    findings = [f"{len(extra):,} files in {folder} are not in {LIST.name}: {', '.join(extra[:3])}"] if extra else []
    if images == "original":
        findings.append("original images are whole photos, cropped to a square around the middle, not to the face")
    return Listing(table.parent.parent, samples, [table], findings)


def _lines(table: Path) -> list[tuple[int, str]]:
    try:
        text = table.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {table}: {error}", "restore the file from the archive") from None
    return [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _sample(table: Path, number: int, line: str, folder: Path, images: str) -> Sample:
    where = f"{table} line {number}"
    match = LINE.fullmatch(line)
    if match is None:
        raise DataError(f"{where}: '{line}' is no image and code", "expected lines like: train_00001.jpg 5")
    name, part, code = match.groups()
    stem, dot, suffix = name.rpartition(".")
    name = f"{stem}_aligned{dot}{suffix}" if images == "aligned" else name
    return Sample(folder / name, coded(code, CODES, where), PARTS[part])


def _mirror(source: Path) -> Listing:
    """The Kaggle mirror: folders train and test with a folder for each code."""
    for root in roots(source):
        if {0, 2} <= set(part_folders(root)):
            findings: list[str] = []
            folders = class_folders(root, findings)
            samples = [_coded(folder, image) for folder in folders for image in folder.images]
            tables = [path for name in PARTS if (path := root / f"{name}_labels.csv").is_file()]
            return Listing(root, samples, tables, findings + _disagreements(samples, tables))
    raise absent(source, _shown(source), "RAF-DB", RafDb.expected)


def _coded(folder: ClassFolder, image: Path) -> Sample:
    return Sample(image, coded(folder.label, CODES, str(folder.path)), folder.part)


def _disagreements(samples: Sequence[Sample], tables: Sequence[Path]) -> list[str]:
    """Images whose folder is not the one that the mirror's own tables give, and rows without an image."""
    from fersearch.data.tables import rows

    listed = {row["image"]: coded(row["label"], CODES, row.where) for table in tables for row in rows(table, COLUMNS)}
    if not listed:
        return ["no train_labels.csv and test_labels.csv: the folders alone give the labels"]
    found = {sample.path.name: sample.word for sample in samples}
    complaints = {
        "rows of the label files have no image": [name for name in listed if name not in found],
        "images are in no label file": [name for name in found if name not in listed],
        "images lie in another class's folder than their label": [
            name for name, word in found.items() if listed.get(name, word) != word
        ],
    }
    return [f"{len(names):,} {what}: {', '.join(names[:3])}" for what, names in complaints.items() if names]


def _shown(source: Path) -> str:
    below = subfolders(source)
    return held(source) if len(below) != 1 else f"{below[0].name}/ with {held(below[0])}"


@hookimpl
def register_datasets(register: Any) -> None:
    """Bring RAF-DB."""
    register(RafDb())
